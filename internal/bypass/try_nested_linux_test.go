// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/selector"
)

// nested enters a second sandbox inside the first one, by the same backend. The
// control run has the inner one only.
func nested(inner engine.Policy) try {
	return func(s *sandbox) (string, error) {
		if err := s.enter(); err != nil {
			return "", err
		}
		// The rules of Landlock know no other errno: that is a gap.
		o := selector.Options{BestEffort: s.Backend == "landlock"}
		if s.Backend != "" {
			o.Backends = []string{s.Backend}
		}
		if _, err := selector.Restrict(inner, o); err != nil {
			return "", fmt.Errorf("inner sandbox: %w", err)
		}
		return inetSocket()
	}
}

func unsupported(p engine.Policy) engine.Policy {
	p.DenyErrno = engine.DenyUnsupported
	return p
}

// allowAllFilter adds a filter of its own that allows everything.
func allowAllFilter(flags uintptr) try {
	return enterThen(func() (string, error) {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return "", err
		}
		allow := []bpf.RawInstruction{{Op: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
		if err := sys.SeccompFilter(allow, flags); err != nil {
			return "", err
		}
		return inetSocket()
	})
}

// undoNoNewPrivs and the next one try to take back what a sandbox has set.
var undoNoNewPrivs = enterThen(func() (string, error) {
	return seenErr(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0))
})

var undoSeccomp = enterThen(func() (string, error) {
	return seenErr(unix.Prctl(unix.PR_SET_SECCOMP, 0, 0, 0, 0))
})

// threadBefore asks on a thread that ran before the process entered.
func threadBefore(s *sandbox) (string, error) {
	var got string
	var err error
	start, done, entered := make(chan bool), make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread()
		close(start)
		<-entered
		got, err = inetSocket()
	}()
	<-start
	if err := s.enter(); err != nil {
		return "", err
	}
	close(entered)
	<-done
	return got, err
}

// threadsDuring keeps starting threads while the process enters, and asks on
// every one of them when it has entered.
func threadsDuring(s *sandbox) (string, error) {
	const threads = 64
	var entered atomic.Bool
	results := make(chan string, threads)
	begun := make(chan bool, threads)
	go func() {
		for range threads {
			go func() {
				runtime.LockOSThread() // to end with the goroutine: every one is a thread of its own
				begun <- true
				for !entered.Load() {
					_ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
				}
				got, err := inetSocket()
				if err != nil {
					got = err.Error()
				}
				results <- got
			}()
		}
	}()
	<-begun // some run, most are still to be started
	err := s.enter()
	entered.Store(true)
	if err != nil {
		return "", err
	}
	var all []string
	for range threads {
		all = append(all, <-results)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) != 1 {
		return "", fmt.Errorf("threads see different things: %v", all)
	}
	return all[0], nil
}

// linux32 takes on the personality of a 32-bit kernel.
var linux32 = enterThen(func() (string, error) {
	const perLinux32 = 8 // linux/personality.h
	if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, perLinux32, 0, 0); errno != 0 {
		return seen(errno)
	}
	return inetSocket()
})
