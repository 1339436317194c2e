// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sockade/sockade/internal/guest/job"
)

// Machine is a guest to boot. The zero value of what says so is useful.
type Machine struct {
	Arch   string // GOARCH: amd64 or arm64
	Kernel string // path of the image
	// Cmdline is added to the kernel's command line; it may be empty.
	Cmdline string
	// MemoryMiB is 1024 unless set, CPUs 1 and Timeout 20 minutes.
	MemoryMiB, CPUs int
	Timeout         time.Duration
	// Instructions has the guest's clock count executed instructions: one is a
	// nanosecond. It takes a single CPU, and is slower.
	Instructions bool
}

// consoleLines are shown of a guest that fails.
const consoleLines = 20

// QEMU returns the emulator for an architecture, and what to install if it is
// not there.
func QEMU(arch string) (program, missing, fix string) {
	program, pkg := "qemu-system-x86_64", "qemu-system-x86"
	if arch == "arm64" {
		program, pkg = "qemu-system-aarch64", "qemu-system-arm"
	}
	if _, err := exec.LookPath(program); err != nil {
		return program, "not installed", "apt-get install " + pkg
	}
	return program, "", ""
}

// Boot runs the steps in a guest with the files and calls got after each. A guest
// that panics, hangs or ends before its last step is an error with the last
// lines of its console.
func Boot(ctx context.Context, m Machine, files Files, steps []job.Step, got func(job.Result)) error {
	dir, err := os.MkdirTemp("", "sockade-guest-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	initramfs := filepath.Join(dir, "initramfs")
	file, err := os.Create(initramfs)
	if err != nil {
		return err
	}
	err = writeInitramfs(file, files, steps)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("initramfs: %w", err)
	}
	if m.Timeout == 0 {
		m.Timeout = 20 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, m.Timeout)
	defer cancel()

	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	program, _, _ := QEMU(m.Arch)
	cmd := exec.CommandContext(ctx, program, m.arguments(initramfs)...)
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	cmd.ExtraFiles = []*os.File{w} // descriptor 3, see arguments
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return err
	}
	results, readErr := readResults(r, got)
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("the guest still ran after %v", m.Timeout)
	case err != nil:
	case readErr != nil:
		err = readErr
	case results < len(steps):
		err = fmt.Errorf("the guest ended after %d of %d steps", results, len(steps))
	default:
		return nil
	}
	return fmt.Errorf("%w; the last lines of its console:\n%s", err, LastLines(console.String(), consoleLines))
}

func (m Machine) arguments(initramfs string) []string {
	cmdline := "quiet panic=-1 console="
	args := []string{
		"-cpu", "max", "-nographic", "-no-reboot", "-nodefaults", "-net", "none",
		"-m", strconv.Itoa(max(m.MemoryMiB, 1024)), "-smp", strconv.Itoa(max(m.CPUs, 1)), "-kernel", m.Kernel, "-initrd", initramfs,
		"-chardev", "stdio,id=console", "-chardev", "file,id=answers,path=/proc/self/fd/3",
	}
	if m.Instructions {
		args = append(args, "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off")
	} else {
		args = append(args, "-accel", "tcg,thread=multi")
	}
	switch m.Arch {
	case "arm64":
		args = append(args, "-M", "virt", "-serial", "chardev:console", "-device", "pci-serial,chardev=answers")
		cmdline += "ttyAMA0"
	default:
		args = append(args, "-serial", "chardev:console", "-serial", "chardev:answers")
		// Where the host is busy the emulated timer is late, and a kernel that checks it
		// at boot panics.
		cmdline += "ttyS0 no_timer_check"
	}
	return append(args, "-append", strings.TrimSpace(cmdline+" "+m.Cmdline))
}

func readResults(r *os.File, got func(job.Result)) (n int, err error) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return n, nil
		}
		var result job.Result
		if err := json.Unmarshal(line, &result); err != nil {
			return n, fmt.Errorf("read result: %w: %.100q", err, line)
		}
		n++
		got(result)
	}
}

// LastLines returns the end of a text.
func LastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
