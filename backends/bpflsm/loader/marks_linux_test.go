// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

// TestMarks: many tasks with one policy or another, so many that marks are shared, ask
// over and over, and what is allowed to one is never allowed to another. A task that
// enters a narrower domain has nothing left of what it was allowed before.
func TestMarks(t *testing.T) {
	fresh(t)
	testutil.InChild(t, testutil.Child{Name: "marks", Timeout: 3 * time.Minute}, nil)
}

// only is a policy of one family.
func only(families ...int32) (p engine.Policy) {
	for _, f := range families {
		p.Rules = append(p.Rules, engine.Rule{Family: f, Type: engine.Any, Protocol: engine.Any})
	}
	return p
}

func enterPolicy(p engine.Policy) error {
	layer, err := bpflsm.New().Prepare(p, engine.Support{})
	if err != nil {
		return err
	}
	return errors.Join(layer.Enforce(engine.Thread), layer.Close())
}

func marked([]byte) (any, error) {
	const threads, rounds = 200, 40 // one or two pairs share one of 16384 marks
	families := []int32{unix.AF_UNIX, unix.AF_NETLINK, unix.AF_INET}
	var entered, done sync.WaitGroup
	failed := make(chan error, threads)
	entered.Add(threads)
	for n := range threads {
		done.Go(func() {
			runtime.LockOSThread() // and ends with it
			mine := families[n%2]
			err := enterPolicy(only(unix.AF_UNIX, unix.AF_NETLINK))
			for _, f := range families[:2] { // what is remembered from here is of no use afterwards
				if errno := sys.TrySocket(f, unix.SOCK_DGRAM, 0); err == nil && errno != 0 {
					err = fmt.Errorf("family %d in the outer domain: %w", f, errno)
				}
			}
			if err == nil {
				err = enterPolicy(only(mine))
			}
			entered.Done()
			entered.Wait()
			for range rounds {
				for _, f := range families {
					want := unix.EACCES
					if f == mine {
						want = 0
					}
					if got := sys.TrySocket(f, unix.SOCK_DGRAM, 0); err == nil && got != want {
						err = fmt.Errorf("thread %d, which is for family %d, gets %w for family %d", n, mine, got, f)
					}
				}
				runtime.Gosched()
			}
			if err != nil {
				failed <- err
			}
		})
	}
	done.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	// Threads that come later, at the addresses of these, are in no domain.
	for range 200 {
		var got unix.Errno
		sys.OnThrowawayThread(func() { got = sys.TrySocket(unix.AF_INET, unix.SOCK_DGRAM, 0) })
		if got != 0 {
			return nil, fmt.Errorf("a thread in no domain gets %w", got)
		}
	}
	return nil, nil
}
