// SPDX-License-Identifier: Apache-2.0

// Command init is process 1 of a guest: it mounts what programs expect, runs the
// steps one after the other, tells each result, and powers off.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/guest/job"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("init:", err)
	}
	unix.Sync()
	// With panic=-1 and -no-reboot QEMU ends on either.
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func run() error {
	if err := prepare(); err != nil {
		return err
	}
	answers, err := openAnswers()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(job.File)
	if err != nil {
		return err
	}
	var steps []job.Step
	if err := json.Unmarshal(text, &steps); err != nil {
		return fmt.Errorf("%s: %w", job.File, err)
	}
	encoder := json.NewEncoder(answers)
	for _, s := range steps {
		fmt.Println("init: step", s.Name)
		if err := encoder.Encode(do(s)); err != nil {
			return fmt.Errorf("tell result: %w", err)
		}
	}
	return unix.IoctlSetInt(int(answers.Fd()), unix.TCSBRK, 1) // waits until it is sent
}

func prepare() error {
	for _, m := range []struct {
		source, target, kind, data string
		flags                      uintptr
	}{
		{"proc", "/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"securityfs", "/sys/kernel/security", "securityfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"bpf", "/sys/fs/bpf", "bpf", "mode=700", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"devtmpfs", "/dev", "devtmpfs", "", unix.MS_NOSUID},
		{"devpts", "/dev/pts", "devpts", "ptmxmode=0666,mode=620", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"tmpfs", "/tmp", "tmpfs", "mode=1777", unix.MS_NODEV}, // setuid programs are tested there
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	// Else every family that is not registered forks a modprobe that is not there. A
	// kernel without modules has no such file.
	if err := os.WriteFile("/proc/sys/kernel/modprobe", []byte("\n"), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	installBusybox()
	return loopbackUp()
}

// installBusybox makes the commands that tests run, where there is a busybox.
func installBusybox() {
	if out, err := exec.Command("/bin/busybox", "--install", "-s", "/bin").CombinedOutput(); err != nil && !errors.Is(err, os.ErrNotExist) {
		fmt.Printf("init: busybox: %v: %s\n", err, out)
	}
}

// loopbackUp starts the network that tests use.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// openAnswers opens the port on which results go, as a terminal that changes
// nothing.
func openAnswers() (*os.File, error) {
	var last error
	for _, port := range []string{"/dev/ttyS1", "/dev/ttyS0", "/dev/ttyAMA1"} {
		if port == "/dev/ttyS0" && onConsole("ttyS0") {
			continue
		}
		f, err := os.OpenFile(port, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			last = err
			continue
		}
		t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
		if err != nil {
			last = fmt.Errorf("%s: %w", port, err)
			continue
		}
		t.Oflag &^= unix.OPOST
		t.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
		t.Cflag |= unix.CLOCAL
		if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != nil {
			return nil, fmt.Errorf("%s: %w", port, err)
		}
		return f, nil
	}
	return nil, fmt.Errorf("no second serial port: %w", last)
}

func onConsole(port string) bool {
	active, _ := os.ReadFile("/sys/class/tty/console/active")
	return bytes.Contains(active, []byte(port))
}

func do(s job.Step) job.Result {
	r := job.Result{Step: s}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(s.Seconds)*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
	cmd.Dir, cmd.Env = s.Dir, append([]string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"}, s.Env...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = 5 * time.Second
	if s.UID != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.UID, Gid: s.UID}}
	}
	start := time.Now()
	err := cmd.Run()
	r.Seconds = time.Since(start).Seconds()
	r.Stdout, r.Stderr = stdout.Bytes(), stderr.Bytes()
	r.Status = -1
	if cmd.ProcessState != nil {
		r.Status = cmd.ProcessState.ExitCode()
	}
	switch {
	case ctx.Err() != nil:
		r.Error = fmt.Sprintf("killed after %d s", s.Seconds)
	case err != nil && r.Status < 0:
		r.Error = err.Error()
	}
	return r
}
