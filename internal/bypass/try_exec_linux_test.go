// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/testutil"
)

// forkThen asks in a child that is made by clone(2) and executes nothing.
func forkThen(flags uintptr) try {
	return enterThen(func() (string, error) {
		errno, err := forkSocket(flags)
		if err != nil {
			return "", err
		}
		return seen(errno)
	})
}

// forkSocket returns the errno that a forked child got for a socket. The child
// has one thread and no runtime around it: it may do nothing but system calls.
//
//go:norace
//go:noinline
func forkSocket(flags uintptr) (unix.Errno, error) {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, flags|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("clone: %w", errno)
	}
	if pid == 0 {
		_, _, errno = syscall.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
		for {
			syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
		}
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(int(pid), &status, unix.WALL, nil); err != nil {
		return 0, err
	}
	if !status.Exited() {
		return 0, fmt.Errorf("forked child: %v", status)
	}
	return unix.Errno(status.ExitStatus()), nil
}

// needUserNS is for ways through a namespace that anybody may make.
func needUserNS(bool) (capability, missing, fix string) {
	if _, err := forkSocket(unix.CLONE_NEWUSER | unix.CLONE_NEWNET); err != nil {
		missing = err.Error()
	}
	return "userns", missing, "allow unprivileged user namespaces"
}

// vforkExec asks in a program that a Go program starts, which is vfork and exec.
func vforkExec(s *sandbox) (string, error) {
	if err := s.enter(); err != nil {
		return "", err
	}
	return s.image(testutil.Child{})
}

// setuid asks in a setuid root program that nobody starts.
func setuid(s *sandbox) (string, error) {
	dir, err := os.MkdirTemp("", "sockade-bypass-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	program := filepath.Join(dir, "setuid")
	if err := copySelf(program); err != nil {
		return "", err
	}
	if err := os.Chmod(program, 0o755|os.ModeSetuid); err != nil {
		return "", err
	}
	if err := s.enter(); err != nil {
		return "", err
	}
	user := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return s.image(testutil.Child{Exe: program, Attr: user})
}

// setuidImage says too whether it has become root.
func setuidImage(*sandbox) (string, error) {
	got, err := inetSocket()
	if os.Geteuid() == 0 {
		got = asRoot + got
	}
	return got, err
}

const asRoot = "as root: "

func copySelf(to string) error {
	in, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// needSuid is for ways through a setuid program in the temporary directory.
func needSuid(bool) (capability, missing, fix string) {
	var s unix.Statfs_t
	if err := unix.Statfs(os.TempDir(), &s); err != nil {
		missing = err.Error()
	} else if s.Flags&unix.ST_NOSUID != 0 {
		missing = os.TempDir() + " is mounted nosuid"
	}
	return "setuid", missing, "set TMPDIR to a directory on another file system"
}

// env386 names the 32-bit program to the children.
const env386 = "SOCKADE_BYPASS_386"

// program386 asks in a 32-bit program.
func program386(entry, family string) try {
	return enterThen(func() (string, error) {
		out, err := exec.Command(os.Getenv(env386), entry, family).Output()
		if err != nil {
			return "", err
		}
		errno, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			return "", err
		}
		return seen(unix.Errno(errno))
	})
}

// need386 is for ways through the 32-bit program.
func need386(bool) (capability, missing, fix string) {
	if os.Getenv(env386) == "" {
		return "go", "no 32-bit program", "install Go"
	}
	if err := exec.Command(os.Getenv(env386), "direct", "unix").Run(); err != nil {
		missing = err.Error()
	}
	return "i386", missing, "boot a kernel with CONFIG_IA32_EMULATION and without ia32_emulation=0"
}
