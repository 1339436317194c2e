// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// keeps makes a try of something that a sandbox must not break.
func keeps(f func() error) try {
	return enterThen(func() (string, error) { return seenErr(f()) })
}

// plainCalls are system calls next to those that a filter decides.
func plainCalls() error {
	if os.Getppid() <= 0 {
		return fmt.Errorf("getppid: %d", os.Getppid())
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	if _, err := unix.Write(p[1], []byte("x")); err != nil {
		return err
	}
	if _, err := unix.Read(p[0], make([]byte, 1)); err != nil {
		return err
	}
	if _, err := unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return err
	}
	if _, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// unixSockets makes every kind, flagged and with rubbish above the low words.
func unixSockets() error {
	const rubbish = 0xdeadbeef << 32
	for _, typ := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET, unix.SOCK_RAW} {
		for _, flags := range []int{0, unix.SOCK_NONBLOCK, unix.SOCK_CLOEXEC, unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC} {
			for _, protocol := range []int{0, unix.AF_UNIX} {
				if _, err := unix.Socket(unix.AF_UNIX, typ|flags, protocol); err != nil {
					return fmt.Errorf("socket type %d protocol %d: %w", typ|flags, protocol, err)
				}
				if _, err := unix.Socketpair(unix.AF_UNIX, typ|flags, protocol); err != nil {
					return fmt.Errorf("socketpair type %d protocol %d: %w", typ|flags, protocol, err)
				}
				_, _, errno := unix.RawSyscall(unix.SYS_SOCKET, rubbish|unix.AF_UNIX, rubbish|uintptr(typ|flags), rubbish|uintptr(protocol))
				if errno != 0 {
					return fmt.Errorf("socket type %d protocol %d with high words: %w", typ|flags, protocol, errno)
				}
			}
		}
	}
	return nil
}

// routes talks to the kernel over a netlink socket.
func routes() error {
	_, err := net.Interfaces()
	return err
}

// traceMe starts a program under trace, as a debugger does, and lets it run.
func traceMe() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
		return err
	}
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(pid, &regs); err != nil {
		return err
	}
	return unix.PtraceDetach(pid)
}

// readMemory looks at memory of its own as if it were that of another process.
func readMemory() error {
	zeros, err := lowMemory()
	if err != nil {
		return err
	}
	word, err := peek(os.Getpid(), zeros)
	if err == nil && word != 0 {
		err = fmt.Errorf("read %d, want 0", word)
	}
	return err
}

// unshareNet makes a network namespace, for which the kernel makes sockets of
// its own in the caller's context.
func unshareNet() error { return unix.Unshare(unix.CLONE_NEWNET) }

// startsPrograms runs a command with pipes.
func startsPrograms() error {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
