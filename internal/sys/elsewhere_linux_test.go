// SPDX-License-Identifier: Apache-2.0

package sys_test

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

// TestElsewhere makes calls that would be seen in this process if they were not
// made elsewhere, from many goroutines, under signals and garbage collections.
func TestElsewhere(t *testing.T) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	stop := make(chan bool)
	var disturb sync.WaitGroup
	disturb.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Kill(unix.Getpid(), unix.SIGUSR1)
				runtime.GC()
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	before, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				stat := new(unix.Stat_t)
				calls := []sys.Call{
					{Nr: unix.SYS_GETPID},
					{Nr: unix.SYS_PRCTL, Args: [6]uintptr{unix.PR_SET_NO_NEW_PRIVS, 1}},
					{Nr: unix.SYS_PRCTL, Args: [6]uintptr{unix.PR_GET_NO_NEW_PRIVS}},
					{Nr: unix.SYS_SETPRIORITY, Args: [6]uintptr{unix.PRIO_PROCESS, 0, 19}},
					{Nr: unix.SYS_FSTAT, Args: [6]uintptr{0, sys.Pointer(stat)}},
					{Nr: unix.SYS_CLOSE, Args: [6]uintptr{1 << 20}},
				}
				if err := sys.Elsewhere(calls); err != nil {
					t.Error(err)
				}
				if runtime.GOARCH == "amd64" && calls[0].Result == unix.Getpid() {
					t.Error("made in this process")
				}
				if calls[2].Result != 1 {
					t.Errorf("no_new_privs there is %d, want 1", calls[2].Result)
				}
				if e := calls[4].Errno(); e != 0 || stat.Mode == 0 {
					t.Errorf("fstat there: %v, mode %#o", e, stat.Mode)
				}
				if e := calls[5].Errno(); e != unix.EBADF {
					t.Errorf("close there: %v, want EBADF", e)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	disturb.Wait()
	if v, _, _ := unix.Syscall(unix.SYS_PRCTL, unix.PR_GET_NO_NEW_PRIVS, 0, 0); v != 0 {
		t.Error("no_new_privs is set in this process")
	}
	if after, _ := unix.Getpriority(unix.PRIO_PROCESS, 0); after != before {
		t.Errorf("priority %d became %d", before, after)
	}
}

// TestElsewhereKilled tells a task that was ended from one that made its calls.
func TestElsewhereKilled(t *testing.T) {
	calls := []sys.Call{
		{Nr: unix.SYS_GETPID},
		{Nr: unix.SYS_PRCTL, Args: [6]uintptr{unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_STRICT}},
		{Nr: unix.SYS_GETPPID}, // SIGKILL in strict mode
		{Nr: unix.SYS_GETPID},
	}
	if runtime.GOARCH != "amd64" {
		testutil.Need(t, "amd64", "here it is a thread, which would take the process along", "run on x86-64")
	}
	if err := sys.Elsewhere(calls); err == nil {
		t.Error("a killed task counts as one that made its calls")
	}
	if calls[2].Errno() != unix.ENOSYS || calls[3].Errno() != unix.ENOSYS {
		t.Errorf("calls that were not made have results %d, %d", calls[2].Result, calls[3].Result)
	}
}
