// SPDX-License-Identifier: Apache-2.0

package bpflsm

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

func probe(d engine.Depth) engine.Support {
	proof, err := find(d)
	if err != nil {
		return engine.Support{Reason: err.Error()}
	}
	afMax, sockMax, exact := sys.SocketLimits(engine.KnownLimits.AFMax, engine.KnownLimits.SockMax)
	if !exact {
		proof += "; AF_MAX and SOCK_MAX are assumed: an outer sandbox hides them"
	}
	return engine.Support{Available: true, Proof: proof, Limits: engine.Limits{AFMax: afMax, SockMax: sockMax}, Features: []engine.Feature{engine.ByTask}}
}

// find returns the proof that the programs work here.
func find(d engine.Depth) (proof string, err error) {
	if unix.Getuid() != 0 {
		return "", errors.New("bpflsm: it takes root: run sockade as root, or use another backend")
	}
	lock, err := lockPins()
	if errors.Is(err, errNotLoaded) {
		if d != engine.Trial {
			return "", err
		}
		const tried = "the programs were loaded for a moment, and a domain in a task of its own decided socket(2) calls by their protocol"
		return tried, runHelper("probe")
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if d == engine.Trial {
		return "a domain in a task of its own decided socket(2) calls by their protocol", Try(Magic(Version))
	}
	if Ask(Magic(Version), opConfirm, 0) != unix.ENOENT {
		return "", fmt.Errorf("bpflsm: %w: an outer sandbox denies prctl(2): use another backend", errNoAnswer)
	}
	return "the programs are loaded and answer", nil
}

// Protocols of UNIX sockets that do not exist, of which the trial allows one: the
// kernel denies it with another errno.
const (
	tryAllowed = 77
	tryDenied  = 78
)

// Try enters a domain in a task that is gone afterwards, and makes calls that it decides.
func Try(magic uint64) error {
	id, err := newID()
	if err != nil {
		return err
	}
	t, err := compile(engine.Policy{Rules: []engine.Rule{{Family: unix.AF_UNIX, Type: unix.SOCK_STREAM, Protocol: tryAllowed}}})
	if err != nil {
		return err
	}
	socket := func(protocol uintptr) sys.Call {
		return sys.Call{Nr: unix.SYS_SOCKET, Args: [6]uintptr{unix.AF_UNIX, unix.SOCK_STREAM, protocol}}
	}
	calls := []sys.Call{
		{Nr: unix.SYS_PRCTL, Args: call(magic, opEnter, id, sys.Pointer(t))},
		{Nr: unix.SYS_PRCTL, Args: call(magic, opConfirm, id, 0)},
		socket(tryAllowed), socket(tryDenied),
	}
	for n := 0; ; n++ {
		t.touch()
		err := sys.Elsewhere(calls)
		runtime.KeepAlive(t)
		if err != nil {
			return fmt.Errorf("bpflsm: try a domain: %w", err)
		}
		errno := calls[0].Errno()
		if (errno == unix.ENOMEM || errno == unix.EFAULT) && n < tries {
			pause()
			continue
		}
		if errno != 0 {
			return explain("a task of its own", errno)
		}
		break
	}
	if calls[1].Errno() != unix.EEXIST {
		return explain("a task of its own", errNoAnswer)
	}
	if a, d := calls[2].Errno(), calls[3].Errno(); a != unix.EPROTONOSUPPORT || d != unix.EACCES {
		return fmt.Errorf("bpflsm: a domain did not decide socket(2): an allowed protocol got %w and another %w: where an outer sandbox answers socket(2) run it outside, else use another backend", a, d)
	}
	return nil
}

// runHelper runs the command that loads the programs. What it says on standard error is
// the reason where it fails.
func runHelper(arg string) error {
	path, err := FindHelper()
	if err != nil {
		return err
	}
	if err := spareFDs(helperFDs); err != nil {
		return fmt.Errorf("bpflsm: run %s: %w: it takes %d free descriptors (ulimit -n)", path, err, helperFDs)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(path, arg)
	cmd.Stderr = &stderr
	err = cmd.Run()
	if err == nil {
		return nil
	}
	line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || line == "" {
		return fmt.Errorf("bpflsm: %s %s: %w", path, arg, err)
	}
	return errors.New(strings.TrimPrefix(line, Helper+": "))
}

// helperFDs is how many free descriptors it takes to run a program and to read what it
// says: where they run out the runtime ends the process.
const helperFDs = 12

// spareFDs tells whether there are so many.
func spareFDs(n int) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if n == 1 {
		return nil
	}
	return spareFDs(n - 1)
}

// FindHelper returns the path of the command that loads the programs: beside this
// program, else in PATH.
func FindHelper() (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), Helper)
		if unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(Helper)
	if err != nil {
		return "", fmt.Errorf("bpflsm: %s is neither beside this program nor in PATH: install it: go install github.com/sockade/sockade/cmd/%s@latest", Helper, Helper)
	}
	return path, nil
}
