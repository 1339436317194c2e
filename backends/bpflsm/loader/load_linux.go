// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/bpflsm"
)

// unfinished ends the name of a directory whose version is not loaded yet, or not any more.
const unfinished = "_unfinished" // there are no dots in names there

// programs are what is attached to the kernel; closing them detaches what is not pinned.
type programs struct {
	maps  map[string]*ebpf.Map
	links map[string]link.Link
}

// Tests stop at a step of loading and unloading, and load smaller maps.
var (
	step   = func(string) {}
	adjust = func(*ebpf.CollectionSpec) {}
)

// Load has the programs of this version attached and pinned. It does nothing where they
// are.
func Load() error {
	root, err := lockRoot()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	version := filepath.Join(bpflsm.Root, bpflsm.Version)
	if _, err := os.Stat(version); err == nil {
		return nil
	}
	if err := retire(); err != nil {
		return err
	}
	step("load")
	p, err := load(bpflsm.Magic(bpflsm.Version))
	if err != nil {
		return err
	}
	defer p.close()
	return p.pin(version)
}

// Probe loads the programs for a moment and tries them. They answer to nobody else.
func Probe() error {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	magic := binary.NativeEndian.Uint64(b[:])
	p, err := load(magic)
	if err != nil {
		return err
	}
	defer p.close()
	if err := bpflsm.Try(magic); err != nil {
		return err
	}
	return needPins()
}

// needPins tells whether pins can be made.
func needPins() error {
	var st unix.Statfs_t
	dir := filepath.Dir(bpflsm.Root)
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("%s: %w: mount it: mount -t sysfs sysfs /sys, mount -t bpf bpf %s", dir, err, dir)
	}
	if st.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("%s is no file system of BPF, in which the programs are pinned: mount -t bpf bpf %s", dir, dir)
	}
	return nil
}

// lockRoot makes the directory of the pins and waits until nobody else uses it to load,
// to unload or to enter a domain.
func lockRoot() (bpflsm.Lock, error) {
	if err := needPins(); err != nil {
		return bpflsm.Lock{}, err
	}
	if err := os.Mkdir(bpflsm.Root, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return bpflsm.Lock{}, fmt.Errorf("make a directory for the pins: %w: run it as root", err)
	}
	return bpflsm.LockPins(unix.LOCK_EX)
}

// load attaches the programs and freezes their maps.
func load(magic uint64) (*programs, error) {
	// Linux 5.10 counts maps by it; others take no notice.
	_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	if _, err := os.Stat("/sys/kernel"); err != nil {
		return nil, fmt.Errorf("%w: mount it: mount -t sysfs sysfs /sys", err)
	}
	if err := mayNotSkip(); err != nil {
		return nil, err
	}
	spec, err := loadSockade()
	if err != nil {
		return nil, fmt.Errorf("BUG(loader): %w", err)
	}
	if err := spec.Variables[sockadeVarMagic].Set(magic); err != nil {
		return nil, fmt.Errorf("BUG(loader): %w", err)
	}
	adjust(spec)
	c, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, explain("load", err)
	}
	defer c.Close()
	p := &programs{maps: map[string]*ebpf.Map{}, links: map[string]link.Link{}}
	for _, name := range slices.Sorted(maps.Keys(c.Programs)) {
		step("attach " + name)
		l, err := link.AttachLSM(link.LSMOptions{Program: c.Programs[name]})
		if err != nil {
			p.close()
			return nil, explain("attach "+name, err)
		}
		p.links[name] = l
	}
	step("first call")
	errno := bpflsm.Ask(magic, bpflsm.OpHome, 0)
	if errno != 0 || bpflsm.Ask(magic, bpflsm.OpHome+1, 0) != unix.EINVAL {
		p.close()
		return nil, noAnswer(errno)
	}
	// From here on only the programs change them.
	for _, name := range []string{sockadeMapTasks, sockadeMapMarks, sockadeMapDomains, sockadeMapBlank, sockadeMapHome} {
		step("freeze " + name)
		if err := c.Maps[name].Freeze(); err != nil {
			p.close()
			return nil, explain("freeze map "+name, err)
		}
	}
	for _, name := range []string{sockadeMapTasks, sockadeMapDomains, sockadeMapDenials} {
		p.maps[name] = c.DetachMap(name)
	}
	return p, nil
}

func (p *programs) close() {
	for _, l := range p.links {
		_ = l.Close()
	}
	for _, m := range p.maps {
		_ = m.Close()
	}
}

// pin makes the directory of the version, complete at once.
func (p *programs) pin(dir string) error {
	step("mkdir")
	if err := os.Mkdir(dir+unfinished, 0o700); err != nil {
		return fmt.Errorf("pin: %w: see sockade bpf status", err)
	}
	for _, name := range slices.Sorted(maps.Keys(p.links)) {
		step("pin " + name)
		if err := p.links[name].Pin(filepath.Join(dir+unfinished, name)); err != nil {
			return explain("pin "+name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.maps)) {
		step("pin map " + name)
		if err := p.maps[name].Pin(filepath.Join(dir+unfinished, name)); err != nil {
			return explain("pin map "+name, err)
		}
	}
	step("rename")
	if err := os.Rename(dir+unfinished, dir); err != nil {
		return fmt.Errorf("pin: %w: load it outside of any sandbox", err)
	}
	step("done")
	return nil
}

// mayNotSkip refuses the kernels that do not run a program on a CPU on which the same
// program was interrupted, which would let a request through: Linux 5.12 to 6.1 without
// the correction (prog->active in kernel/bpf/trampoline.c, gone with 64696c40d03c).
func mayNotSkip() error {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return explain("read the kernel's types", err)
	}
	var function *btf.Func
	if err := kernel.TypeByName("__bpf_prog_enter_recur", &function); err == nil {
		return nil
	}
	var prog *btf.Struct
	if err := kernel.TypeByName("bpf_prog", &prog); err != nil {
		return fmt.Errorf("the kernel's types have no struct bpf_prog: %w: use another backend", err)
	}
	for _, m := range prog.Members {
		if m.Name == "active" {
			return errors.New("this kernel skips a BPF program that interrupts itself, and would let requests through: boot Linux 6.2 or later, or a current 6.1, or use another backend")
		}
	}
	return nil
}

// explain adds to an error of bpf(2) what it means and what to do.
func explain(what string, err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case errors.As(err, &verifier):
		return fmt.Errorf("%s: the kernel refuses the programs: %w: report it, and use another backend", what, err)
	case errors.Is(err, os.ErrNotExist), errors.Is(err, btf.ErrNotFound), errors.Is(err, ebpf.ErrNotSupported):
		if _, missing := os.Stat("/sys/kernel/btf/vmlinux"); missing != nil {
			return fmt.Errorf("%s: this kernel has no BTF (CONFIG_DEBUG_INFO_BTF, /sys/kernel/btf/vmlinux): boot one that has, or use another backend", what)
		}
		return fmt.Errorf("%s: %w: this kernel has no BPF programs on LSM hooks (CONFIG_BPF_LSM): use another backend", what, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w: %s", what, unix.EPERM, denier())
	}
	return fmt.Errorf("%s: %w: use another backend", what, err)
}

// denier names what most likely denies bpf(2) to root.
func denier() string {
	if text := security("lockdown"); text != "" && !strings.Contains(text, "[none]") {
		return "the kernel is locked down (" + text + " in /sys/kernel/security/lockdown): boot without lockdown, or use another backend"
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) == nil {
		has := func(c int) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
		if !has(unix.CAP_SYS_ADMIN) && (!has(unix.CAP_BPF) || !has(unix.CAP_PERFMON)) {
			return "it takes CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN: give them, or use another backend"
		}
	}
	return "an outer sandbox denies bpf(2): run it outside, or use another backend"
}

// noAnswer is for programs that are attached and do not answer.
func noAnswer(errno unix.Errno) error {
	if errno != 0 {
		return fmt.Errorf("ask the programs: %w: an outer sandbox denies prctl(2): run it outside, or use another backend", errno)
	}
	if SwitchedOff() {
		return errors.New("kernel.ftrace_enabled=0 keeps the kernel from running BPF programs on its functions: sysctl kernel.ftrace_enabled=1, or use another backend")
	}
	list := security("lsm")
	if list == "" || slices.Contains(strings.Split(list, ","), "bpf") {
		return errors.New("the kernel attaches the programs and does not run them: boot with bpf in lsm=, or use another backend")
	}
	return fmt.Errorf("the kernel does not run the programs: its security modules are %s: boot with lsm=%s,bpf, or use another backend", list, list)
}

// SwitchedOff tells whether root has set kernel.ftrace_enabled=0, which ends the
// enforcement of all programs on LSM hooks, where the kernel lets it.
func SwitchedOff() bool {
	text, err := os.ReadFile(ftraceEnabled)
	return err == nil && strings.TrimSpace(string(text)) == "0"
}

const ftraceEnabled = "/proc/sys/kernel/ftrace_enabled"

// security reads a file of securityfs, which need not be mounted; empty if it cannot.
func security(name string) string {
	text, err := os.ReadFile("/sys/kernel/security/" + name)
	if err != nil {
		text = securityDetached(name)
	}
	return strings.TrimSpace(string(text))
}

// securityDetached reads it from a mount that only this process sees, and only now.
func securityDetached(name string) []byte {
	config, err := unix.Fsopen("securityfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil
	}
	defer unix.Close(config)
	if err := unix.FsconfigCreate(config); err != nil {
		return nil
	}
	mount, err := unix.Fsmount(config, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
	if err != nil {
		return nil
	}
	defer unix.Close(mount)
	fd, err := unix.Openat(mount, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	text := make([]byte, 4096)
	n, err := unix.Read(fd, text)
	if err != nil {
		return nil
	}
	return text[:n]
}
