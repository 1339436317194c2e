// SPDX-License-Identifier: Apache-2.0

package selector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

// askCommand is a command that prints what it gets. Its output is the verdict
// that it must report.
func askCommand(ctx context.Context) (*exec.Cmd, *bytes.Buffer, error) {
	cmd, err := testutil.Command(ctx, testutil.Child{Name: "asks"}, nil)
	var out bytes.Buffer
	if err == nil {
		cmd.Stdout = &out
	}
	return cmd, &out, err
}

// startAsks starts a restricted child and checks what it reports.
func startAsks(o selector.Options) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd, out, err := askCommand(ctx)
	if err != nil {
		return err
	}
	report, err := selector.Start(onlyUnix, cmd, o)
	if err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	if out.String() != restricted {
		return fmt.Errorf("the child gets %q, want %q", out, restricted)
	}
	if len(report.Layers) == 0 || report.Proof == "" {
		return fmt.Errorf("the report has no layer or no proof: %+v", report)
	}
	return nil
}

// TestStart starts children one after the other and many at once. The process
// that starts them, its first thread too, stays as it was.
func TestStart(t *testing.T) {
	needBackend(t)
	needNoTrace(t)
	testutil.InChild(t, testutil.Child{Name: "starts"}, nil)
}

func starts([]byte) (any, error) {
	check := func() error {
		if got := asked(); got != free {
			return fmt.Errorf("the process that starts children gets %s", got)
		}
		return allThreads(noTrace)
	}
	for range 15 {
		if err := startAsks(selector.Options{}); err != nil {
			return nil, err
		}
		if err := check(); err != nil {
			return nil, err
		}
	}
	var wg sync.WaitGroup
	var errs [20]error
	for i := range errs {
		wg.Go(func() { errs[i] = startAsks(selector.Options{}) })
	}
	wg.Wait()
	return nil, errors.Join(append(errs[:], check())...)
}

// TestStartFiles starts children with a socket among the files that cmd names.
func TestStartFiles(t *testing.T) {
	needBackend(t)
	for _, tt := range []struct {
		name    string
		inherit engine.Inherit
		give    func(cmd *exec.Cmd, f *os.File)
		// want is part of the error; empty where the child starts.
		want string
	}{
		{"extra file", engine.InheritCheck, func(cmd *exec.Cmd, f *os.File) { cmd.ExtraFiles = []*os.File{nil, f} }, "inet/stream/tcp"},
		{"stdin", engine.InheritCheck, func(cmd *exec.Cmd, f *os.File) { cmd.Stdin = f }, "inet/stream/tcp"},
		{"stderr", engine.InheritCheck, func(cmd *exec.Cmd, f *os.File) { cmd.Stderr = f }, "inet/stream/tcp"},
		{"extra file, close", engine.InheritClose, func(cmd *exec.Cmd, f *os.File) { cmd.ExtraFiles = []*os.File{f} }, "cmd passes it on"},
		{"extra file, keep", engine.InheritKeep, func(cmd *exec.Cmd, f *os.File) { cmd.ExtraFiles = []*os.File{f} }, ""},
		{"not passed on", engine.InheritCheck, func(*exec.Cmd, *os.File) {}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			f := os.NewFile(uintptr(fd), "socket")
			defer func() { _ = f.Close() }()
			cmd, out, err := askCommand(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tt.give(cmd, f)
			p := onlyUnix
			p.FDs.Inherit = tt.inherit
			_, err = selector.Start(p, cmd, selector.Options{})
			if tt.want != "" {
				if err == nil || cmd.Process != nil {
					t.Fatalf("started, error %v", err)
				}
				for _, want := range []string{"fd " + strconv.Itoa(fd), tt.want} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error %q does not say %q", err, want)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil || out.String() != restricted {
				t.Errorf("the child gets %q, %v", out, err)
			}
		})
	}
}

// TestStartLeaked has a socket without close-on-exec, which every child gets
// whether cmd names it or not.
func TestStartLeaked(t *testing.T) {
	needBackend(t)
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(socket) }()
	fd, err := unix.FcntlInt(uintptr(socket), unix.F_DUPFD, 100) // a number that ls does not use
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	for _, inherit := range []engine.Inherit{engine.InheritCheck, engine.InheritClose} {
		cmd := exec.CommandContext(t.Context(), "ls", "/proc/self/fd")
		var out bytes.Buffer
		cmd.Stdout = &out
		p := onlyUnix
		p.FDs.Inherit = inherit
		_, err := selector.Start(p, cmd, selector.Options{})
		var foreign *selector.ForeignFDsError
		if inherit == engine.InheritCheck {
			if !errors.As(err, &foreign) || !strings.Contains(err.Error(), "fd "+strconv.Itoa(fd)) {
				t.Errorf("error %v, want one that names fd %d", err, fd)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		if strings.Contains("\n"+out.String(), "\n"+strconv.Itoa(fd)+"\n") {
			t.Errorf("the child has fd %d: %s", fd, &out)
		}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		t.Errorf("the parent has lost its own fd %d: %v", fd, err)
	}
}

func TestStartErrors(t *testing.T) {
	needBackend(t)
	cmd := exec.Command("/does/not/exist")
	if _, err := selector.Start(onlyUnix, cmd, selector.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such program: %v", err)
	}
	cmd = exec.Command("/proc/self/exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if _, err := selector.Start(onlyUnix, cmd, selector.Options{}); err == nil || !strings.Contains(err.Error(), "Pdeathsig") {
		t.Errorf("with Pdeathsig: %v", err)
	}
}
