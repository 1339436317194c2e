// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) {
	testutil.Main(m, testutil.Children{"under": under, "asks": asks, "restricts": restricts})
}

// task is what a child does once it has the fault.
type task struct {
	Fault string
	// Argv is the command line; empty for a child that restricts itself.
	Argv []string
	// CGroup is a directory to join first.
	CGroup string
}

// under applies a fault to itself and becomes the command.
func under(arg []byte) (any, error) {
	runtime.LockOSThread()
	var t task
	if err := json.Unmarshal(arg, &t); err != nil {
		return nil, err
	}
	// The next child is asks, if the command is this program again.
	env, err := testutil.Env("asks", nil, -1)
	if err != nil {
		return nil, err
	}
	if t.CGroup != "" {
		if err := os.WriteFile(filepath.Join(t.CGroup, "cgroup.procs"), []byte("0"), 0); err != nil {
			return nil, err
		}
	}
	if err := apply(t.Fault); err != nil {
		return nil, fmt.Errorf("apply: %w", err)
	}
	return nil, unix.Exec(t.Argv[0], t.Argv, env)
}

// answers are what a program got that is to have AF_UNIX only.
type answers struct{ Unix, Inet, Pair, Ring, GetFD string }

// asks is the program in the sandbox. It leaves its mark: what it prints. It gives up
// its stdin, so that under a limit of open files there is one to ask with.
func asks([]byte) (any, error) {
	if err := unix.Close(0); err != nil {
		return nil, err
	}
	return nil, json.NewEncoder(os.Stdout).Encode(ask())
}

func ask() answers {
	a := answers{
		Unix: word(sys.TrySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0)),
		Inet: word(sys.TrySocket(unix.AF_INET, unix.SOCK_STREAM, 0)),
	}
	_, err := unix.Socketpair(unix.AF_INET, unix.SOCK_STREAM, 0)
	a.Pair = wordOf(err)
	a.GetFD = wordOf(getFD())
	r, err := sys.NewRing(1, 0)
	if a.Ring = wordOf(err); err == nil {
		defer r.Close()
		r.Queue(unix.AF_INET, unix.SOCK_STREAM, 0, 0)
		if err := r.Enter(); err != nil {
			a.Ring = wordOf(err)
		} else {
			_, res, _ := r.Reap()
			if a.Ring = word(unix.Errno(max(0, -res))); res >= 0 {
				_ = unix.Close(int(res))
			}
		}
	}
	return a
}

// getFD takes a file of the process that started this one, outside the sandbox.
func getFD() error {
	pidfd, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 0, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

func word(errno unix.Errno) string {
	if errno == 0 {
		return "ok"
	}
	return unix.ErrnoName(errno)
}

func wordOf(err error) string {
	var errno unix.Errno
	if err != nil && !errors.As(err, &errno) {
		return err.Error()
	}
	return word(errno)
}

// whole says what of the policy is not in force; empty if all of it is. Whether
// the allowed socket is made depends on the fault too.
func (a answers) whole() string {
	switch {
	case a.Inet != "EACCES" || a.Pair != "EACCES":
		return "inet sockets are not denied"
	case a.GetFD != "EPERM":
		return "pidfd_getfd(2) is not denied"
	case a.Ring == "ok":
		return "a ring made an inet socket"
	}
	return ""
}

// outcome is how a command line ended.
type outcome struct {
	stdout, stderr string
	status         int // -1 if it was killed
}

// run runs a command line under a fault.
func run(t *testing.T, k task) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd, err := testutil.Command(ctx, testutil.Child{Name: "under", Arg: k, Exe: self(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%v: %v, %v", k.Argv, err, ctx.Err())
	}
	if strings.Contains(stderr.String(), "apply: ") {
		t.Fatalf("fault %s: %s", k.Fault, &stderr)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// command is "sockade run" of the program that asks.
func command(t *testing.T, sockade string) []string {
	t.Helper()
	return commandBy(t, sockade, "seccomp")
}

func commandBy(t *testing.T, sockade, backend string) []string {
	t.Helper()
	return []string{sockade, "run", "--backend", backend, "--allow", "unix", "--", self(t)}
}

// self is the test binary by a path that is there without /proc.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func sockade(t *testing.T) string {
	t.Helper()
	program, missing, err := testutil.Build(t.TempDir(), "cmd/sockade", runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	testutil.Need(t, "go", missing, "install Go")
	return program
}

// check holds an outcome to the rule: the whole policy, or one line and no command.
// It returns the line.
func (o outcome) check(t *testing.T) (refusal string) {
	t.Helper()
	switch {
	case o.status == 0:
		var a answers
		if err := json.Unmarshal([]byte(o.stdout), &a); err != nil {
			t.Fatalf("status 0 and the command did not run: %v: %q %q", err, o.stdout, o.stderr)
		}
		if missing := a.whole(); missing != "" {
			t.Errorf("the command ran without its whole policy: %s: %+v", missing, a)
		}
	case o.stdout != "":
		t.Errorf("status %d and the command ran: %q", o.status, o.stdout)
	case o.status == 125:
		refusal = strings.TrimSuffix(o.stderr, "\n")
		if !strings.HasPrefix(refusal, "sockade: ") || strings.Contains(refusal, "\n") || strings.Contains(refusal, "BUG(") || strings.Contains(refusal, "goroutine") {
			t.Errorf("refused with what is not one clear line: %q", o.stderr)
		}
	default:
		t.Errorf("status %d: %q", o.status, o.stderr)
	}
	return refusal
}
