// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// receive gets a socket from a process outside over a UNIX socket.
func receive(s *sandbox) (string, error) {
	sv, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	far := os.NewFile(uintptr(sv[1]), "far end")
	p, err := startOutsider(far)
	if err != nil {
		return "", err
	}
	defer p.end()
	if err := s.enter(); err != nil {
		return "", err
	}
	if _, err := p.ask("send"); err != nil {
		return "", err
	}
	return receiveFrom(sv[0])
}

// receiveInFlight gets a socket that was no open file when the sandbox began:
// it waited in the queue of a UNIX socket.
func receiveInFlight(s *sandbox) (string, error) {
	sv, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Sendmsg(sv[1], []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
		return "", err
	}
	if err := unix.Close(fd); err != nil {
		return "", err
	}
	if err := s.enter(); err != nil {
		return "", err
	}
	return receiveFrom(sv[0])
}

// truncated is what the receiver of a file sees that was kept out.
const truncated = "MSG_CTRUNC"

func receiveFrom(fd int) (string, error) {
	data, control := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, flags, _, err := unix.Recvmsg(fd, data, control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return seenErr(err)
	}
	if n == 0 && flags&unix.MSG_CTRUNC != 0 {
		return truncated, nil
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return "", fmt.Errorf("no file arrives: %d messages, %w", len(messages), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return "", err
	}
	return useSocket(fds[0])
}

// useSocket shows that a socket that was made elsewhere works in here.
func useSocket(fd int) (string, error) {
	return seenErr(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
}

// inheritedFD is where ways that go over execve leave their file.
const inheritedFD = 100

// inheritSocket has a socket that survives execve.
func inheritSocket(s *sandbox) (string, error) {
	if err := openInherited(func() (int, error) { return unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) }); err != nil {
		return "", err
	}
	return "", naming(s.exec("/proc/self/exe"), inheritedFD)
}

// inheritStdin has a socket as its standard input, as a server under inetd has.
func inheritStdin(s *sandbox) (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Dup3(fd, 0, 0); err != nil {
		return "", err
	}
	if err := unix.Close(fd); err != nil {
		return "", err
	}
	return "", naming(s.exec("/proc/self/exe"), 0)
}

// useInherited is the image of these ways.
func useInherited(fd int) try {
	return func(*sandbox) (string, error) { return useSocket(fd) }
}

// openInherited moves a new file to inheritedFD, where it survives execve.
func openInherited(open func() (int, error)) error {
	fd, err := open()
	if err != nil {
		return err
	}
	if err := unix.Dup3(fd, inheritedFD, 0); err != nil {
		return err
	}
	return unix.Close(fd)
}

// naming checks that a refusal names the descriptor.
func naming(err error, fd int) error {
	if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("fd %d ", fd)) {
		return fmt.Errorf("BUG(selector): the refusal does not name fd %d: %w", fd, err)
	}
	return err
}

// openSocket has a socket of its own when it enters.
func openSocket(s *sandbox) (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	if err := naming(s.enter(), fd); err != nil {
		return "", err
	}
	return useSocket(fd)
}

// ownTable keeps a socket in a descriptor table that is a single thread's own:
// /proc/self/fd shows another one, that of the first thread.
func ownTable(goOn func(s *sandbox, fd int) (string, error)) try {
	return func(s *sandbox) (string, error) {
		var got string
		// The runtime's own descriptors have to be in both tables.
		r, w, err := os.Pipe()
		if err != nil {
			return "", err
		}
		defer func() { _, _ = r.Close(), w.Close() }()
		done := make(chan bool)
		go func() {
			defer close(done)
			runtime.LockOSThread()
			if err = unix.Unshare(unix.CLONE_FILES); err != nil {
				return
			}
			if err = openInherited(func() (int, error) { return unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) }); err != nil {
				return
			}
			got, err = goOn(s, inheritedFD)
		}()
		<-done
		return got, err
	}
}

// sharedTable gets a socket from a process that shares its descriptor table:
// clone(CLONE_FILES) made it before, so that it is outside.
func sharedTable(s *sandbox) (string, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], 0); err != nil {
		return "", err
	}
	buf, err := lowMemory()
	if err != nil {
		return "", err
	}
	pid, err := forkWaiting(p[0], buf)
	if err != nil {
		return "", err
	}
	if err := s.enter(); err != nil {
		return "", err
	}
	if _, err := unix.Write(p[1], []byte("x")); err != nil {
		return "", err
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, unix.WALL, nil); err != nil {
		return "", err
	}
	return useSocket(status.ExitStatus())
}

// forkWaiting makes the helper of sharedTable: it waits for a byte, makes a
// socket, and exits with its number. It may do nothing but system calls.
//
//go:norace
//go:noinline
func forkWaiting(pipe int, buf uintptr) (int, error) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, unix.CLONE_FILES|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("clone: %w", errno)
	}
	if pid == 0 {
		syscall.RawSyscall(unix.SYS_READ, uintptr(pipe), buf, 1)
		fd, _, _ := syscall.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
		for {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, fd, 0, 0)
		}
	}
	return int(pid), nil
}

// accepted gets a socket of an allowed family from a listener.
func accepted() error {
	dir, err := os.MkdirTemp("", "sockade-bypass-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	c, err := net.Dial("unix", dir+"/s")
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	a, err := l.Accept()
	if err != nil {
		return err
	}
	return a.Close()
}

// addrForm turns a socket of family inet6 into one of family inet.
var addrForm = enterThen(func() (string, error) {
	l, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		return seenErr(err)
	}
	if err := unix.SetsockoptInt(l, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
		return "", err
	}
	mapped := [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}
	if err := unix.Bind(l, &unix.SockaddrInet6{Addr: mapped}); err != nil {
		return "", err
	}
	if err := unix.Listen(l, 1); err != nil {
		return "", err
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		return "", err
	}
	c, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Connect(c, at); err != nil {
		return "", err
	}
	if err := unix.SetsockoptInt(c, unix.IPPROTO_IPV6, unix.IPV6_ADDRFORM, unix.AF_INET); err != nil {
		return seenErr(err)
	}
	family, err := unix.GetsockoptInt(c, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == nil && family != unix.AF_INET {
		err = fmt.Errorf("the socket's family is %d", family)
	}
	return works, err
})

// needIPv6 is for ways that bind an IPv6 address.
func needIPv6(bool) (capability, missing, fix string) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		missing = err.Error()
	} else {
		_ = unix.Close(fd)
	}
	return "ipv6", missing, "boot without ipv6.disable=1"
}
