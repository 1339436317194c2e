// SPDX-License-Identifier: Apache-2.0

package selector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

// TestExec replaces a process by a program, which is restricted and reports.
func TestExec(t *testing.T) {
	needBackend(t)
	for _, how := range []string{"", "close on exec", "close"} {
		t.Run("file "+how, func(t *testing.T) {
			var got string
			testutil.InChild(t, testutil.Child{Name: "execs", Arg: how}, &got)
			if got != restricted {
				t.Errorf("the program gets %q", got)
			}
		})
	}
}

// TestExecBusy replaces a process whose goroutines move from thread to thread all
// the time. The program has no_new_privs all the same.
func TestExecBusy(t *testing.T) {
	needBackend(t)
	needNoTrace(t)
	tries := 200
	if testing.Short() {
		tries = 100
	}
	for range tries {
		var got string
		testutil.InChild(t, testutil.Child{Name: "execs", Arg: "busy"}, &got)
		if got != "" {
			t.Fatal(got)
		}
	}
}

// isLocked tells what is missing on a thread of a restricted program.
func isLocked([]byte) (any, error) {
	if err := allThreads(locked); err != nil {
		return err.Error(), nil
	}
	return "", nil
}

// TestExecError has no program to execute: the process ends up restricted, and
// the error tells that from one where nothing was done.
func TestExecError(t *testing.T) {
	needBackend(t)
	testutil.InChild(t, testutil.Child{Name: "execs", Arg: "no program"}, nil)
}

// TestExecStdio names a standard descriptor that is a socket, and says how to
// allow it.
func TestExecStdio(t *testing.T) {
	needBackend(t)
	err := testutil.Run(testutil.Child{Name: "execs", Arg: "stdin"}, nil)
	if err == nil {
		t.Fatal("not refused")
	}
	for _, want := range []string{"fd 0 (stdin)", "inet/dgram/udp", "--allow"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not say %q", err, want)
		}
	}
}

func execs(arg []byte) (any, error) {
	var how string
	if err := json.Unmarshal(arg, &how); err != nil {
		return nil, err
	}
	p, path, next, typ := onlyUnix, "/proc/self/exe", "asks", unix.SOCK_DGRAM
	switch how {
	case "busy":
		next = "is locked"
		for range 4 * runtime.NumCPU() {
			go func() {
				for {
					_ = unix.Getppid()
					runtime.Gosched()
				}
			}()
		}
	case "close on exec":
		typ |= unix.SOCK_CLOEXEC
	case "close":
		p.FDs.Inherit = engine.InheritClose
	case "no program":
		path = "/does/not/exist"
	}
	if how != "" && how != "no program" && how != "busy" {
		fd, err := unix.Socket(unix.AF_INET, typ, 0)
		if err != nil {
			return nil, err
		}
		if how == "stdin" {
			if err := errors.Join(unix.Dup3(fd, 0, 0), unix.Close(fd)); err != nil {
				return nil, err
			}
		}
	}
	var o selector.Options
	if how == "busy" { // about the filter
		o.Backends = []string{"seccomp"}
	}
	plan, err := selector.NewPlan(p, selector.Probe(engine.Trial), o)
	if err != nil {
		return nil, err
	}
	env, err := testutil.Env(next, nil, testutil.PipeFD())
	if err != nil {
		return nil, err
	}
	err = plan.Exec(path, []string{os.Args[0]}, env)
	var failed *selector.ExecError
	if how == "no program" {
		if !errors.As(err, &failed) || !errors.Is(err, fs.ErrNotExist) || failed.Path != path {
			return nil, fmt.Errorf("error %w, want an ExecError for %s", err, path)
		}
		if got := asked(); got != restricted {
			return nil, fmt.Errorf("the thread gets %s", got)
		}
		return nil, nil
	}
	return nil, err
}
