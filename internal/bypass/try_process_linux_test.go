// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/testutil"
)

// pidfdGetfd takes the socket of a process outside.
var pidfdGetfd = withOutsider(func(p *process) (string, error) {
	pidfd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return "", fmt.Errorf("pidfd_open: %w", err)
	}
	defer func() { _ = unix.Close(pidfd) }()
	_, err = unix.PidfdGetfd(pidfd, p.Socket, 0)
	return seenErr(err)
})

// attach becomes the tracer of a process outside by the given request.
func attach(request func(pid int) error) try {
	return withOutsider(func(p *process) (string, error) {
		got, err := seenErr(request(p.PID))
		if got == works {
			// The thread ends with the try, and the kernel detaches then.
			_ = p.cmd.Process.Kill()
		}
		return got, err
	})
}

var vmWritev = withOutsider(func(p *process) (string, error) {
	word := binary.NativeEndian.AppendUint64(nil, 4711)
	local := []unix.Iovec{{Base: &word[0]}}
	local[0].SetLen(len(word))
	remote := []unix.RemoteIovec{{Base: uintptr(p.Word), Len: len(word)}}
	if _, err := unix.ProcessVMWritev(p.PID, local, remote, 0); err != nil {
		return seenErr(err)
	}
	return askWord(p)
})

// procMem changes a process outside by writing to its memory like to a file.
var procMem = withOutsider(func(p *process) (string, error) {
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", p.PID), os.O_RDWR, 0)
	if err != nil {
		return seenErr(err)
	}
	defer func() { _ = mem.Close() }()
	if _, err := mem.WriteAt(binary.NativeEndian.AppendUint64(nil, 4711), int64(p.Word)); err != nil {
		return seenErr(err)
	}
	return askWord(p)
})

// askWord tells whether the outsider's memory was changed.
func askWord(p *process) (string, error) {
	word, err := p.ask("word")
	if err == nil && word != "4711" {
		err = fmt.Errorf("the outsider's word is %s after the write", word)
	}
	return works, err
}

// rewrite traces a program that it starts and turns the program's first system
// call into a request for a socket, after the program has entered the kernel.
var rewrite = enterThen(func() (string, error) { return rewriteFirstCall(0) })

// suspended is rewrite with the option that suspends the filters of a tracee,
// which checkpoint/restore has for root.
var suspended = enterThen(func() (string, error) {
	got, err := rewriteFirstCall(ptraceOSuspendSeccomp)
	if err != nil {
		return seenErr(err)
	}
	return got, nil
})

// ptraceOSuspendSeccomp is PTRACE_O_SUSPEND_SECCOMP, linux/ptrace.h.
const ptraceOSuspendSeccomp = 1 << 21

// rewriteFirstCall returns what became of the rewritten call.
func rewriteFirstCall(options int) (string, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/proc/self/exe")
	cmd.SysProcAttr = &unix.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	pid := cmd.Process.Pid
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	var status unix.WaitStatus
	if err := waitStop(pid, &status); err != nil {
		return "", err
	}
	if err := unix.PtraceSetOptions(pid, unix.PTRACE_O_EXITKILL|unix.PTRACE_O_TRACESYSGOOD|options); err != nil {
		return "", err
	}
	var regs unix.PtraceRegs
	for _, atEntry := range []bool{true, false} {
		if err := unix.PtraceSyscall(pid, 0); err != nil {
			return "", err
		}
		if err := waitStop(pid, &status); err != nil {
			return "", err
		}
		if err := unix.PtraceGetRegs(pid, &regs); err != nil {
			return "", err
		}
		if atEntry {
			setCall(&regs, unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
			if err := unix.PtraceSetRegs(pid, &regs); err != nil {
				return "", err
			}
		}
	}
	if r := result(&regs); r < 0 {
		return seen(unix.Errno(-r))
	}
	return works, nil
}

// waitStop waits for the next stop of a tracee.
func waitStop(pid int, status *unix.WaitStatus) error {
	if _, err := unix.Wait4(pid, status, unix.WALL, nil); err != nil {
		return err
	}
	if !status.Stopped() {
		return fmt.Errorf("the tracee is not stopped but %#x", *status)
	}
	return nil
}

// pokeFromBefore is tracer of a process outside already when it enters.
func pokeFromBefore(s *sandbox) (string, error) {
	p, err := startOutsider()
	if err != nil {
		return "", err
	}
	defer p.end()
	if err := unix.PtraceAttach(p.PID); err != nil {
		return "", err
	}
	defer func() { _ = p.cmd.Process.Kill() }()
	var status unix.WaitStatus
	if err := waitStop(p.PID, &status); err != nil {
		return "", err
	}
	if err := s.enter(); err != nil {
		return "", err
	}
	_, err = unix.PtracePokeData(p.PID, uintptr(p.Word), binary.NativeEndian.AppendUint64(nil, 4711))
	return seenErr(err)
}

// needPtrace is for ways that trace a child of its own.
func needPtrace(bool) (capability, missing, fix string) {
	if text, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && strings.TrimSpace(string(text)) > "1" {
		missing = "kernel.yama.ptrace_scope is " + strings.TrimSpace(string(text))
	}
	return "ptrace", missing, "set kernel.yama.ptrace_scope to 0 or 1"
}

// needRestore is for the ptrace option that only checkpoint/restore has.
func needRestore(bool) (capability, missing, fix string) {
	err := testutil.Run(testutil.Child{Name: "suspends"}, nil)
	if err != nil {
		missing = "PTRACE_O_SUSPEND_SECCOMP: " + err.Error()
	}
	return "checkpoint_restore", missing, "boot a kernel with CONFIG_CHECKPOINT_RESTORE"
}

// suspends is the child of needRestore.
func suspends([]byte) (any, error) {
	_, err := rewriteFirstCall(ptraceOSuspendSeccomp)
	if errors.Is(err, unix.EINVAL) {
		return nil, err
	}
	return nil, nil
}
