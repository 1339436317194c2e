// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) {
	testutil.Main(m, testutil.Children{
		"load until": loadUntil, "unload until": unloadUntil, "enter": enterAndAsk, "stay": stay, "tamper": tamper,
		"outsider": asNobody, "nest": nest, "spread": spread, "killed": killedInside, "old": oldVersion, "marks": marked,
	})
}

// fresh needs the programs to work here, and begins and ends with none loaded.
func fresh(t *testing.T) {
	t.Helper()
	reason := ""
	if os.Getuid() != 0 {
		reason = "not root"
	} else if err := Probe(); err != nil {
		reason = err.Error()
	} else if _, err := bpflsm.FindHelper(); err != nil {
		reason = err.Error()
	}
	testutil.Need(t, "bpflsm", reason, "see sockade probe")
	unload(t)
	t.Cleanup(func() { unload(t) })
}

func unload(t *testing.T) {
	t.Helper()
	waitEmpty(t)
	if err := Unload(false); err != nil {
		t.Fatal(err)
	}
}

// waitEmpty waits until the kernel has freed the tasks of all sandboxes.
func waitEmpty(t *testing.T) {
	t.Helper()
	var loaded []Status
	for range 500 {
		var err error
		if loaded, err = All(); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(loaded, func(s Status) bool { return s.Tasks > 0 || len(s.Domains) > 0 }) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("sandboxes without processes: %+v", loaded)
}

// enter puts the calling thread into a sandbox that allows UNIX sockets only.
func enter() error {
	b := bpflsm.New()
	layer, err := b.Prepare(engine.Policy{Rules: []engine.Rule{{Family: unix.AF_UNIX, Type: engine.Any, Protocol: engine.Any}}}, engine.Support{})
	if err != nil {
		return err
	}
	return errors.Join(layer.Enforce(engine.Exec), layer.Close())
}

// inet asks for a socket that such a sandbox denies, and for one that it allows.
func inet() string {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "no UNIX socket: " + err.Error()
	}
	_ = unix.Close(fd)
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
		return "a socket"
	}
	var errno unix.Errno
	if !errors.As(err, &errno) {
		return err.Error()
	}
	return unix.ErrnoName(errno)
}

func enterAndAsk([]byte) (any, error) {
	if err := enter(); err != nil {
		return nil, err
	}
	return inet(), nil
}

// checkEnforced runs a sandbox, which has the programs loaded where they are not, and
// then looks at whether they are there once and whole.
func checkEnforced(t *testing.T) {
	t.Helper()
	var got string
	testutil.InChild(t, testutil.Child{Name: "enter"}, &got)
	if got != "EACCES" {
		t.Errorf("in the sandbox: %s, want EACCES", got)
	}
	loaded, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded) != 1 || !loaded[0].Current || !slices.Equal(loaded[0].Programs, hooks(t)) {
		t.Errorf("loaded is %+v", loaded)
	}
}

// hooks are the programs that there are.
func hooks(t *testing.T) []string {
	t.Helper()
	spec, err := loadSockade()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range spec.Programs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// killAt has the process killed when it comes to a step for the nth time.
func killAt(n int) {
	step = func(string) {
		if n--; n < 0 {
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {}
		}
	}
}

func loadUntil(arg []byte) (any, error) {
	var n int
	if err := json.Unmarshal(arg, &n); err != nil {
		return nil, err
	}
	killAt(n)
	return nil, Load()
}

func unloadUntil(arg []byte) (any, error) {
	var n int
	if err := json.Unmarshal(arg, &n); err != nil {
		return nil, err
	}
	killAt(n)
	return nil, Unload(false)
}

// stay is in a sandbox until its standard input ends, and then asks.
func stay([]byte) (any, error) {
	if err := enter(); err != nil {
		return nil, err
	}
	return waitAndAsk()
}

// waitAndAsk says that it is there on the pipe in descriptor 4, and goes on when the
// other end of the one in descriptor 3 is closed.
func waitAndAsk() (any, error) {
	before := inet()
	if _, err := unix.Write(4, []byte{1}); err != nil {
		return nil, err
	}
	for {
		n, err := unix.Read(3, make([]byte, 1))
		if err == unix.EINTR {
			continue
		}
		if n != 0 || err != nil {
			return nil, fmt.Errorf("wait: %d, %w", n, err)
		}
		return []string{before, inet()}, nil
	}
}

// inside runs a child that stays in a sandbox while f runs, and returns what it got
// before and after.
func inside(t *testing.T, name string, f func()) []string {
	t.Helper()
	waitR, waitW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	thereR, thereW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	done := make(chan error, 1)
	go func() {
		done <- testutil.Run(testutil.Child{Name: name, Files: []*os.File{waitR, thereW}}, &got)
		_ = thereW.Close()
	}()
	_, err = thereR.Read(make([]byte, 1))
	if err == nil {
		f()
	}
	_ = waitW.Close()
	if err := errors.Join(err, <-done, waitR.Close(), thereR.Close()); err != nil {
		t.Fatal(err)
	}
	return got
}

// oldVersion is stay in a domain of another version, which denies everything.
func oldVersion([]byte) (any, error) {
	runtime.LockOSThread()
	var none bpflsm.Table
	for i := range none.Listed { // the program cannot wait for a page that is not there
		none.Listed[i] = ^uint32(0)
	}
	if errno := ask(bpflsm.Magic(otherVersion), 1, 4711, &none); errno != 0 {
		return nil, fmt.Errorf("enter: %w", errno)
	}
	return waitAndAsk()
}

// ask is the call that the programs answer.
func ask(magic uint64, op uintptr, id uint64, t *bpflsm.Table) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_DUMPABLE, uintptr(magic), op, uintptr(id), uintptr(unsafe.Pointer(t)), 0)
	runtime.KeepAlive(t)
	return errno
}

const otherVersion = "0123456789abcdef"

// pinnedMap opens a map of this version to be read and written.
func pinnedMap(name string) (*ebpf.Map, error) {
	return ebpf.LoadPinnedMap(filepath.Join(bpflsm.Root, bpflsm.Version, name), nil)
}
