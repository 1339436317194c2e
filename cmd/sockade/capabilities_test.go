// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/landlock"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

// capabilities of the machine that some scripts need: what is missing, empty
// if nothing is, and what would change that.
var capabilities = map[string]func() (missing, fix string){
	"go":   program("go", "put go into PATH"),
	"bash": program("bash", "apt-get install bash"),
	"fish": program("fish", "apt-get install fish"),
	"zsh":  program("zsh", "apt-get install zsh"),
	"i386": func() (string, string) {
		if runtime.GOARCH != "amd64" {
			return "this is " + runtime.GOARCH, "run the tests on x86-64"
		}
		if err := runX86(); err != nil {
			return "the kernel does not run 32-bit programs: " + err.Error(), "boot with ia32_emulation=1 (CONFIG_IA32_EMULATION)"
		}
		return "", ""
	},
	"ports": func() (string, string) {
		for _, c := range selector.Probe(engine.Trial) {
			if c.Support.Available && (c.Backend.Name() == "bpflsm" || c.Support.Has(landlock.TCPPorts)) {
				return "", ""
			}
		}
		return "no backend has rules for ports", "boot Linux 6.7 or later with landlock in lsm="
	},
	"io_uring": func() (string, string) {
		fd, err := makeRing()
		if err != nil {
			return err.Error(), "set kernel.io_uring_disabled=0 (CONFIG_IO_URING)"
		}
		_ = unix.Close(fd)
		return "", ""
	},
	"io_uring-filter": func() (string, string) {
		const bpfFilter = 37 // IORING_REGISTER_BPF_FILTER, of the task and with no argument
		_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, ^uintptr(0), bpfFilter, 0, 1, 0, 0)
		if errno != unix.EFAULT && errno != unix.EACCES {
			return fmt.Sprintf("io_uring has no filters: %v", errno), "boot Linux 7.1 or later (CONFIG_IO_URING_BPF)"
		}
		return "", ""
	},
}

func program(name, fix string) func() (missing, fix string) {
	return func() (string, string) {
		if _, err := exec.LookPath(name); err != nil {
			return "not installed", fix
		}
		return "", ""
	}
}

// x86Exit is a whole 32-bit program: _exit(0).
var x86Exit = []byte("\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
	"\x02\x00\x03\x00\x01\x00\x00\x00\x54\x80\x04\x08\x34\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x34\x00\x20\x00\x01\x00\x00\x00\x00\x00\x00\x00" +
	"\x01\x00\x00\x00\x00\x00\x00\x00\x00\x80\x04\x08\x00\x80\x04\x08\x5b\x00\x00\x00\x5b\x00\x00\x00\x05\x00\x00\x00\x00\x10\x00\x00" +
	"\x31\xc0\x40\x31\xdb\xcd\x80") // xor eax,eax; inc eax; xor ebx,ebx; int 0x80

func runX86() error {
	dir, err := os.MkdirTemp("", "sockade")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "exit32")
	if err := os.WriteFile(file, x86Exit, 0o700); err != nil {
		return err
	}
	return exec.Command(file).Run()
}

// goTool runs the go command and returns what it prints, nothing on an error.
func goTool(args ...string) string {
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		return ""
	}
	return string(out)
}

func needGo(t *testing.T) {
	t.Helper()
	missing, fix := capabilities["go"]()
	testutil.Need(t, "go", missing, fix)
}
