// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
)

// What the scenarios do. Each makes its system calls as bare as Go can, first once to
// see that what happens is what is meant, then in a loop.

func socketClose(family, typ, protocol uintptr) func(*child) (loop, error) {
	return func(*child) (loop, error) {
		return func(n int) error {
			for range n {
				fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, family, typ, protocol)
				if errno != 0 {
					return fmt.Errorf("socket: %w", errno)
				}
				unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
			}
			return nil
		}, nil
	}
}

// socketFails asks for sockets that there are not, and holds every errno to that of the
// first, which has to be the right one.
func socketFails(family, typ, protocol uintptr) func(*child) (loop, error) {
	return func(c *child) (loop, error) {
		want := unix.EPROTONOSUPPORT
		switch {
		case typ > 10:
			want = unix.EINVAL
		case c.denies || protocol != deniedProtocol:
			want = unix.EACCES
		}
		return func(n int) error {
			for range n {
				if _, _, errno := unix.RawSyscall(unix.SYS_SOCKET, family, typ, protocol); errno != want {
					return fmt.Errorf("socket gives %w and not %w", errno, want)
				}
			}
			return nil
		}, nil
	}
}

func socketPair(*child) (loop, error) {
	fds := new([2]int32)
	at := sys.Pointer(fds)
	return func(n int) error {
		for range n {
			if _, _, errno := unix.RawSyscall6(unix.SYS_SOCKETPAIR, afUnix, sockStream, 0, at, 0, 0); errno != 0 {
				return fmt.Errorf("socketpair: %w", errno)
			}
			unix.RawSyscall(unix.SYS_CLOSE, uintptr(fds[0]), 0, 0)
			unix.RawSyscall(unix.SYS_CLOSE, uintptr(fds[1]), 0, 0)
		}
		return nil
	}, nil
}

func unrelated(*child) (loop, error) {
	return func(n int) error {
		for range n {
			unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		}
		return nil
	}, nil
}

func pipe(*child) (loop, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	r, w, at := uintptr(fds[0]), uintptr(fds[1]), sys.Pointer(new(byte))
	return func(n int) error {
		for range n {
			unix.RawSyscall(unix.SYS_WRITE, w, at, 1)
			if got, _, errno := unix.RawSyscall(unix.SYS_READ, r, at, 1); got != 1 {
				return fmt.Errorf("read: %w", errno)
			}
		}
		return nil
	}, nil
}

// ringSocket has a ring make sockets. Where rings are denied the scenario is not there.
func ringSocket(*child) (loop, error) {
	ring, err := sys.NewRing(8, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: io_uring_setup: %w", errNotHere, err)
	}
	return func(n int) error {
		for range n {
			ring.Queue(afUnix, sockStream, 0, 0)
			if err := ring.Enter(); err != nil {
				return fmt.Errorf("io_uring_enter: %w", err)
			}
			_, fd, _ := ring.Reap()
			if fd == -int32(unix.EINVAL) { // before Linux 5.19
				return fmt.Errorf("%w: no IORING_OP_SOCKET", errNotHere)
			}
			if fd < 0 {
				return fmt.Errorf("IORING_OP_SOCKET: %w", unix.Errno(-fd))
			}
			unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
		}
		return nil
	}, nil
}

// loopback is a struct sockaddr_in of 127.0.0.1.
func loopback(port uint16) uintptr {
	return sys.Pointer(&[16]byte{afInet, 0, byte(port >> 8), byte(port), 127, 0, 0, 1})
}

// pingPong has both ends in one thread: there is no switch of tasks in it.
func pingPong(*child) (loop, error) {
	var fds, peers [2]uintptr
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			return nil, fmt.Errorf("bind: %w", err)
		}
		name, err := unix.Getsockname(fd)
		if err != nil {
			return nil, err
		}
		fds[i], peers[1-i] = uintptr(fd), loopback(uint16(name.(*unix.SockaddrInet4).Port))
	}
	at := sys.Pointer(new([8]byte))
	return func(n int) error {
		for range n {
			for i := range fds {
				unix.RawSyscall6(unix.SYS_SENDTO, fds[i], at, 8, 0, peers[i], 16)
				if got, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, fds[1-i], at, 8, unix.MSG_DONTWAIT, 0, 0); got != 8 {
					return fmt.Errorf("recvfrom: %w", errno)
				}
			}
		}
		return nil
	}, nil
}

// connectAccept ends connections by a reset (SO_LINGER), else thousands would wait for
// their minute to pass.
func connectAccept(c *child) (loop, error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.SetsockoptLinger(listener, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}),
		unix.Bind(listener, &unix.SockaddrInet4{Port: int(c.job.Port), Addr: [4]byte{127, 0, 0, 1}}),
		unix.Listen(listener, 16),
	)
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", c.job.Port, err)
	}
	address := loopback(c.job.Port)
	return func(n int) error {
		for range n {
			fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, afInet, sockStream, 0)
			if errno != 0 {
				return fmt.Errorf("socket: %w", errno)
			}
			if _, _, errno := unix.RawSyscall(unix.SYS_CONNECT, fd, address, 16); errno != 0 {
				return fmt.Errorf("connect: %w", errno)
			}
			accepted, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, 0, 0, 0)
			if errno != 0 {
				return fmt.Errorf("accept: %w", errno)
			}
			unix.RawSyscall(unix.SYS_CLOSE, accepted, 0, 0)
			unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
		}
		return nil
	}, nil
}

func forkWait(*child) (loop, error) {
	return func(n int) error {
		for range n {
			pid, errno := forkAndExit()
			if errno != 0 {
				return fmt.Errorf("fork: %w", errno)
			}
			if err := await(int(pid)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// forkAndExit returns in the parent only. The child has one thread of a program in Go
// and must do nothing but end.
//
//go:nosplit
//go:norace
func forkAndExit() (pid uintptr, errno unix.Errno) {
	pid, _, errno = unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	for pid == 0 && errno == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return pid, errno
}

func await(pid int) error {
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return fmt.Errorf("wait: %w", err)
	}
	if status != 0 {
		return fmt.Errorf("the process ended with status %#x", uint32(status))
	}
	return nil
}

// vforkWait has a task make one call and end.
func vforkWait(*child) (loop, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("%w: package sys has vfork for amd64 only", errNotHere)
	}
	calls := []sys.Call{{Nr: unix.SYS_GETPPID}}
	return func(n int) error {
		for range n {
			if err := sys.Elsewhere(calls); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func spawnWait(*child) (loop, error) {
	program, err := smallest()
	if err != nil {
		return nil, err
	}
	argv := []string{"smallest"}
	return func(n int) error {
		for range n {
			pid, err := syscall.ForkExec(program, argv, &syscall.ProcAttr{})
			if err != nil {
				return fmt.Errorf("exec: %w", err)
			}
			if err := await(pid); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// smallest makes a program that ends at once, in memory.
func smallest() (path string, err error) {
	image := smallestProgram()
	if image == nil {
		return "", fmt.Errorf("%w: no small program for this architecture", errNotHere)
	}
	fd, err := unix.MemfdCreate("smallest", unix.MFD_CLOEXEC)
	if err != nil {
		return "", fmt.Errorf("memfd: %w", err)
	}
	file := os.NewFile(uintptr(fd), "smallest")
	if _, err := file.Write(image); err != nil {
		return "", err
	}
	kept = append(kept, file) // the finaliser would close it
	return fmt.Sprintf("/proc/self/fd/%d", fd), nil
}

var kept []*os.File
