// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

// newRing makes a step that makes a ring and asks it for a socket.
func newRing(family int32) func() (string, error) {
	return func() (string, error) {
		r, err := sys.NewRing(1, 0)
		if err != nil {
			return seenErr(err)
		}
		r.Queue(family, unix.SOCK_STREAM, 0, 1)
		if err := r.Enter(); err != nil {
			return seenErr(err)
		}
		return reap(r)
	}
}

// newPolledRing is newRing with a kernel thread, for an inet socket.
func newPolledRing() (string, error) {
	r, err := sys.NewRing(1, sys.IORingSetupSQPoll)
	if err != nil {
		return seenErr(err)
	}
	queue(r)
	if err := r.Enter(); err != nil {
		return seenErr(err)
	}
	return reap(r)
}

// From linux/io_uring.h.
const (
	registerRestrictions = 11
	registerEnableRings  = 12
)

// badRestrictions makes a ring that starts with restrictions, and gives it ones that
// the kernel refuses: it then takes all of them back.
func badRestrictions() (string, error) {
	r, err := sys.NewRing(1, sys.IORingSetupRDisabled)
	if err != nil {
		return seenErr(err)
	}
	words, addr, err := sys.LowMemory()
	if err != nil {
		return "", err
	}
	words[0] = 0xffff // no such opcode of struct io_uring_restriction
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.FD), registerRestrictions, addr, 1, 0, 0); errno != unix.EINVAL {
		return "", fmt.Errorf("restrictions that make no sense: %w", errno)
	}
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(r.FD), registerEnableRings, 0, 0, 0, 0); errno != 0 {
		return "", fmt.Errorf("enable ring: %w", errno)
	}
	queue(r)
	if err := r.Enter(); err != nil {
		return seenErr(err)
	}
	return reap(r)
}

// ownFilter makes a ring and gives it a filter that allows everything.
func ownFilter() (string, error) {
	r, err := sys.NewRing(1, 0)
	if err != nil {
		return seenErr(err)
	}
	const retK = 0x06 // BPF_RET | BPF_K
	// Kernels without say EINVAL, and have nothing to take back.
	if err := r.Filter([]bpf.RawInstruction{{Op: retK, K: 1}}); err != nil && !errors.Is(err, unix.EINVAL) {
		return "", fmt.Errorf("filter of one ring: %w", err)
	}
	queue(r)
	if err := r.Enter(); err != nil {
		return seenErr(err)
	}
	return reap(r)
}

// newRingBy makes a ring by another entry, and stops there: only the first call matters.
func newRingBy(setup func(params uintptr) (string, error)) try {
	return enterThen(func() (string, error) {
		params, err := lowMemory()
		if err != nil {
			return "", err
		}
		return setup(params)
	})
}

func queue(r *sys.Ring) { r.Queue(unix.AF_INET, unix.SOCK_STREAM, 0, 1) }

// reap waits for a socket from a ring that a kernel thread polls.
func reap(r *sys.Ring) (string, error) {
	res, err := reapFD(r)
	if err != nil {
		return "", err
	}
	return seen(unix.Errno(max(0, -res)))
}

func reapFD(r *sys.Ring) (int, error) {
	for range 2000 {
		if _, res, ok := r.Reap(); ok {
			return int(res), nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, errors.New("the ring does not answer")
}

// newPollingRing makes a ring that a kernel thread polls. The thread falls
// asleep at once: only from its first request on it stays awake for a while.
// That request is for an inet socket, and stays in the only slot.
func newPollingRing() (*sys.Ring, error) {
	r, err := sys.NewRing(1, sys.IORingSetupSQPoll)
	if err != nil {
		return nil, err
	}
	queue(r)
	if err := r.Enter(); err != nil {
		return nil, err
	}
	fd, err := reapFD(r)
	if err != nil {
		return nil, err
	}
	return r, unix.Close(fd)
}

// openRing has a ring when it enters.
func openRing(s *sandbox) (string, error) {
	r, err := sys.NewRing(1, 0)
	if err != nil {
		return "", err
	}
	if err := naming(s.enter(), r.FD); err != nil {
		return "", err
	}
	queue(r)
	if err := r.Enter(); err != nil {
		return seenErr(err)
	}
	return reap(r)
}

// pollingRing has a ring that a kernel thread polls, so that it needs no system
// call, when it enters; hide is what it does about the ring before.
func pollingRing(hide func(r *sys.Ring) error) try {
	return func(s *sandbox) (string, error) {
		r, err := newPollingRing()
		if err != nil {
			return "", err
		}
		if err := hide(r); err != nil {
			return "", err
		}
		if err := s.enter(); err != nil {
			return "", err
		}
		queue(r)
		return reap(r)
	}
}

func asItIs(*sys.Ring) error        { return nil }
func closeRingFD(r *sys.Ring) error { return unix.Close(r.FD) }

// closedRing has had a ring, and enters when it is closed.
func closedRing(s *sandbox) (string, error) {
	r, err := sys.NewRing(1, 0)
	if err != nil {
		return "", err
	}
	r.Close()
	if err := s.enter(); err != nil {
		return "", err
	}
	return works, nil
}

// inheritRing has a ring that survives execve, with a request in its queue.
func inheritRing(s *sandbox) (string, error) {
	err := openInherited(func() (int, error) {
		r, err := sys.NewRing(1, 0)
		if err != nil {
			return 0, err
		}
		queue(r)
		return r.FD, nil
	})
	if err != nil {
		return "", err
	}
	return "", naming(s.exec("/proc/self/exe"), inheritedFD)
}

// enterInherited is the image of inheritRing: it submits what is in the queue.
func enterInherited(*sandbox) (string, error) {
	const getEvents = 1 // IORING_ENTER_GETEVENTS
	if _, err := unix.FcntlInt(inheritedFD, unix.F_GETFD, 0); err != nil {
		return seenErr(err)
	}
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, inheritedFD, 1, 1, getEvents, 0, 0); errno != 0 {
		return seen(errno)
	}
	made, err := foreignSockets(engine.Policy{})
	if err == nil && len(made) == 0 {
		err = errors.New("the ring has made no socket")
	}
	return works, err
}

// driven makes a ring that a child, which enters, drives from there: the child
// maps the ring, has no descriptor of it, and makes no system call.
func driven(s *sandbox) (string, error) {
	r, err := newPollingRing() // with a request in its slot: raising the tail is all it takes
	if err != nil {
		return "", err
	}
	tail, err := sqTail()
	if err != nil {
		return "", err
	}
	if err := os.Setenv(envTail, strconv.Itoa(tail)); err != nil {
		return "", err
	}
	got, err := s.image(testutil.Child{Files: []*os.File{os.NewFile(uintptr(r.FD), "ring")}})
	if got != works {
		return got, err
	}
	return reap(r)
}

// envTail tells the child of driven where the tail of the queue is.
const envTail = "SOCKADE_BYPASS_TAIL"

// drive is the child of driven.
func drive(s *sandbox) (string, error) {
	const ring = 3
	tail, err := strconv.Atoi(os.Getenv(envTail))
	if err != nil {
		return "", err
	}
	queue, err := unix.Mmap(ring, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return "", err
	}
	if err := unix.Close(ring); err != nil {
		return "", err
	}
	s.Image = false // here it is the child that enters
	if err := s.enter(); err != nil {
		return "", err
	}
	queue[tail]++
	runtime.KeepAlive(queue)
	return works, nil
}

// sqTail returns where a ring of one entry has the tail of its queue.
func sqTail() (int, error) {
	params, addr, err := sys.LowMemory()
	if err != nil {
		return 0, err
	}
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, addr, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(params[paramSQTail]), unix.Close(int(fd))
}

// needURing is for ways through io_uring.
func needURing(bool) (capability, missing, fix string) {
	if err := testutil.Run(testutil.Child{Name: "io_uring"}, nil); err != nil {
		missing = fmt.Sprintf("no socket from a ring: %v", err)
	}
	return "io_uring", missing, "boot Linux 5.19 or later, set kernel.io_uring_disabled=0"
}

// uringWorks is the child of needURing.
func uringWorks([]byte) (any, error) {
	got, err := newRing(unix.AF_INET)()
	if err == nil && got != works {
		err = errors.New(got)
	}
	return got, err
}
