// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/backends/bpflsm/loader"
)

// open attaches what the world has, and returns what takes it away.
func (w world) open() (leave func() error, err error) {
	if w == plain {
		return func() error { return nil }, nil
	}
	if unix.Getuid() != 0 {
		return nil, errors.New("BPF programs take root: run it as root")
	}
	var a attached
	if w == emptyDenier || w == loadedDenier {
		// The kernel asks what was attached first last.
		if err := a.attach("socket_create", denier); err != nil {
			return nil, err
		}
	}
	switch w {
	case emptyBPF, emptyDenier:
		err = a.empty()
	default:
		err = a.load()
	}
	if err != nil {
		return nil, errors.Join(err, a.leave())
	}
	return a.leave, nil
}

// attached is what has to be taken away again.
type attached struct {
	links  []link.Link
	loaded bool
}

func (a *attached) leave() error {
	var errs []error
	if a.loaded {
		errs = append(errs, unload())
	}
	for _, l := range a.links {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// load attaches the programs of the backend, unless somebody has them attached.
func (a *attached) load() error {
	if alreadyLoaded() {
		return nil
	}
	err := loader.Load()
	a.loaded = err == nil
	return err
}

// unload takes the programs away when the last sandbox has ended, which it does a moment
// after the last process in it: the kernel frees tasks later.
func unload() error {
	var inUse *loader.InUseError
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if err := loader.Unload(false); !errors.As(err, &inUse) || time.Since(begin) > 10*time.Second {
			return err
		}
	}
}

// alreadyLoaded tells whether somebody has programs of the backend in the kernel, which
// then every figure includes.
func alreadyLoaded() bool {
	_, err := os.Stat(bpflsm.Root + "/" + bpflsm.Version)
	return err == nil
}

// empty attaches to each hook of the backend a program that returns 0.
func (a *attached) empty() error {
	if alreadyLoaded() {
		return errors.New("the programs of the backend are loaded already: sockade bpf unload")
	}
	hooks, err := loader.Hooks()
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		if err := a.attach(hook, asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}); err != nil {
			return err
		}
	}
	return nil
}

// denier denies socket(AF_UNIX, any type, 1), which hardly any program asks for.
var denier = asm.Instructions{
	asm.LoadMem(asm.R2, asm.R1, 0, asm.DWord), // family
	asm.JNE.Imm32(asm.R2, afUnix, "allow"),
	asm.LoadMem(asm.R2, asm.R1, 16, asm.DWord), // protocol
	asm.JNE.Imm32(asm.R2, 1, "allow"),
	asm.Mov.Imm(asm.R0, -int32(unix.EACCES)),
	asm.Return(),
	asm.Mov.Imm(asm.R0, 0).WithSymbol("allow"),
	asm.Return(),
}

func (a *attached) attach(hook string, code asm.Instructions) error {
	_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "sockade_bench", Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: hook, License: "GPL", Instructions: code,
	})
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the kernel refuses BPF programs, also of root: %w: it is locked down, or an outer sandbox denies bpf(2)", unix.EPERM)
	}
	if err != nil {
		return fmt.Errorf("program on %s: %w", hook, err)
	}
	defer func() { _ = prog.Close() }()
	l, err := link.AttachLSM(link.LSMOptions{Program: prog})
	if err != nil {
		return fmt.Errorf("attach to %s: %w", hook, err)
	}
	a.links = append(a.links, l)
	return nil
}
