// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sockade/sockade/engine"
)

// Restrict locks the calling process, all of its threads and whatever it starts
// from now on, to the policy. It is irrevocable. Children that run already stay
// as they are. On error nothing is restricted unless the error says so.
//
// Sockets that are open already are treated as [engine.FDs] says: by default
// one outside the policy is an error. An io_uring ring is always one when its
// memory is mapped or a kernel thread polls it, since it works without calls.
func Restrict(p engine.Policy, o Options) (Report, error) {
	plan, err := NewPlan(p, Probe(), o)
	if err != nil {
		return Report{}, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return plan.apply(engine.Process, func() error {
		if err := plan.settleFDs(func(int) bool { return true }, closeFD); err != nil {
			return err
		}
		return plan.noLiveRing()
	})
}

// noLiveRing refuses rings that go on without a descriptor: mapped memory keeps
// one alive, and a polling thread creates sockets with no system call at all.
func (p Plan) noLiveRing() error {
	if p.policy.All || p.bestEffort {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("look for io_uring rings: %w", err)
	}
	if bytes.Contains(maps, []byte("anon_inode:[io_uring]")) {
		return &ForeignFDsError{"an io_uring ring is mapped: unmap it before, it could create sockets outside the policy"}
	}
	comms, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil {
		return err
	}
	for _, path := range comms {
		comm, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) { // the thread has ended
			continue
		}
		if err != nil {
			return fmt.Errorf("look for io_uring threads: %w", err)
		}
		if bytes.HasPrefix(comm, []byte("iou-sqp-")) {
			return &ForeignFDsError{"an io_uring polling thread runs: close its ring before, it could create sockets outside the policy"}
		}
	}
	return nil
}
