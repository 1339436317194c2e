// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/seccomp"
	"github.com/sockade/sockade/engine"
)

// Restrict locks the calling process, all of its threads and whatever it starts
// from now on, to the policy. It is irrevocable. Children that run already stay
// as they are. On error nothing is restricted unless the error says so.
//
// Sockets that are open already are treated as [engine.FDs] says: by default
// one outside the policy is an error, also one that another thread opens at this
// moment, which is found when the process is restricted already. An io_uring
// ring is always an error when its memory is mapped or a kernel thread works
// for it, since it goes on without calls.
func Restrict(p engine.Policy, o Options) (Report, error) {
	plan, err := planHere(p, o, withoutRingFilter)
	if err != nil {
		return Report{}, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tried, err := plan.apply(engine.Process, plan.settleProcess)
	if err != nil {
		return Report{}, err
	}
	// A call that was under way is over when its thread has answered. Where cgo
	// has threads of its own nobody can ask them: see docs/limits.md.
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPID, 0, 0, 0); errno != 0 && errno != unix.ENOTSUP {
		return Report{}, fmt.Errorf("restricted, but the threads do not answer: %w", errno)
	}
	if err := plan.settleProcess(); err != nil {
		return Report{}, fmt.Errorf("restricted, but meanwhile another thread opened a file: %w", err)
	}
	report := Report{plan, tried.String()}
	if !p.All && !slices.ContainsFunc(plan.chosen, func(c Candidate) bool { return c.Support.Has(engine.ByTask) }) {
		report.Unseen = append(report.Unseen, unseenBefore)
	}
	return report, nil
}

// withoutRingFilter has io_uring denied as a whole: a filter of it is not for
// rings from before, of which some are listed nowhere (see unseenBefore).
func withoutRingFilter(candidates []Candidate) []Candidate {
	for i := range candidates {
		s := &candidates[i].Support
		s.Features = slices.DeleteFunc(s.Features, func(f engine.Feature) bool { return f == seccomp.RingFilter })
	}
	return candidates
}

// unseenBefore is about this process only: execve ends its rings.
var unseenBefore = engine.Finding{
	ID: engine.FindingBefore, What: "io_uring requests of this process from before, in a ring without descriptor and mapping",
	Why: "the kernel lists such rings nowhere",
	Fix: "restrict before using io_uring, or start the program with sockade run",
}

// settleProcess does what the policy says about open files, and refuses what
// works around any policy in a process that goes on.
func (p *Plan) settleProcess() error {
	if err := p.settleFDs(func(int) bool { return true }, closeFD); err != nil {
		return err
	}
	if p.policy.All {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("look for io_uring rings: %w", err)
	}
	if bytes.Contains(maps, []byte(linkRing)) {
		return &ForeignFDsError{"an io_uring ring is mapped: unmap it before, it could create sockets outside the policy"}
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("look at the threads: %w", err)
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil || tid == unix.Gettid() {
			continue
		}
		err = p.lookAtThread(tid)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.ESRCH) { // else it has ended
			return err
		}
	}
	return nil
}

// lookAtThread refuses a thread of io_uring, and one with open files that are
// not the calling thread's and could be sockets.
func (p *Plan) lookAtThread(tid int) error {
	dir := fmt.Sprintf("/proc/self/task/%d/", tid)
	stat, err := os.ReadFile(dir + "stat")
	if err != nil {
		return err
	}
	// The name before it may hold anything; after its last parenthesis come
	// state, ppid, pgrp, session, tty_nr, tpgid and flags: proc_pid_stat(5).
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 7 {
		return fmt.Errorf("look at thread %d: %sstat has %d fields", tid, dir, len(fields))
	}
	flags, err := strconv.ParseUint(fields[6], 10, 32)
	if err != nil {
		return fmt.Errorf("look at thread %d: %w", tid, err)
	}
	const ioWorker = 0x10 // PF_IO_WORKER, linux/sched.h; its name can be changed
	if flags&ioWorker != 0 {
		return &ForeignFDsError{"a kernel thread of io_uring runs in this process: restrict before using io_uring, it could create sockets outside the policy"}
	}
	const kcmpFiles = 2 // KCMP_FILES, linux/kcmp.h
	same, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(unix.Gettid()), uintptr(tid), kcmpFiles, 0, 0, 0)
	if errno == 0 && same == 0 || p.policy.FDs.Inherit == engine.InheritKeep {
		return nil
	}
	return p.lookAtTable(tid, dir+"fd")
}

// lookAtTable refuses a descriptor table in which there is a socket or a ring:
// from here nobody can ask a socket there what it is, or close it.
func (p *Plan) lookAtTable(tid int, dir string) error {
	fds, err := openFDs(dir)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		link, err := os.Readlink(fmt.Sprintf("%s/%d", dir, fd))
		if err != nil {
			continue // closed by now
		}
		if own, _ := os.Readlink(fmt.Sprintf("/proc/thread-self/fd/%d", fd)); own == link {
			continue // the same file, looked at already
		}
		if link == linkRing || strings.HasPrefix(link, "socket:") {
			return &ForeignFDsError{fmt.Sprintf("thread %d has fd %d, %s, in a descriptor table of its own (unshare(CLONE_FILES)), where it cannot be looked at: close it before", tid, fd, link)}
		}
	}
	return nil
}
