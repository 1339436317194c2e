// SPDX-License-Identifier: Apache-2.0

//go:build libseccomp && linux && cgo

package seccomp

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
)

// NewLibseccomp returns the backend whose filter libseccomp compiles. It
// denies and allows what [New] does, with more instructions; it is here to be
// compared with.
func NewLibseccomp() engine.Backend {
	return backend{name: "libseccomp", compile: compileLibseccomp, ring: compileRing}
}

// libseccompArchs by audit arch. libseccomp takes x32 for an arch of its own,
// and its Go binding has no riscv32: a call by that table kills, as one by an
// unknown arch does.
var libseccompArchs = map[uint32][]libseccomp.ScmpArch{
	0xc000003e: {libseccomp.ArchAMD64, libseccomp.ArchX32},
	0x40000003: {libseccomp.ArchX86},
	0xc00000b7: {libseccomp.ArchARM64},
	0x40000028: {libseccomp.ArchARM},
	0xc00000f3: {libseccomp.ArchRISCV64},
}

// compileLibseccomp is compile by way of libseccomp: the same verdicts from a
// program that it generates. Calls go by name, so that its syscall tables are
// held against arch.go, too.
func compileLibseccomp(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
	f, err := libseccomp.NewFilter(libseccomp.ActAllow)
	if err != nil {
		return nil, fmt.Errorf("new filter: %w", err)
	}
	defer f.Release()
	if err := f.SetOptimize(2); err != nil { // a binary search for the call
		return nil, fmt.Errorf("set optimization: %w", err)
	}
	if err := setArchs(f, p, m); err != nil {
		return nil, err
	}
	if m[0].noFastOpen {
		if err := addFastOpen(f, m); err != nil {
			return nil, err
		}
	}
	if !p.All {
		if err := addRules(f, p, m, l); err != nil {
			return nil, err
		}
	}
	return export(f)
}

// setArchs makes the filter one for the machine.
func setArchs(f *libseccomp.ScmpFilter, p engine.Policy, m machine) error {
	unknown := libseccomp.ActKillProcess
	if p.All && !m[0].noFastOpen {
		unknown = libseccomp.ActAllow
	}
	if err := f.SetBadArchAction(unknown); err != nil {
		return fmt.Errorf("set action for unknown archs: %w", err)
	}
	var archs []libseccomp.ScmpArch
	for _, t := range m {
		archs = append(archs, libseccompArchs[t.audit]...)
	}
	for _, arch := range archs {
		if err := f.AddArch(arch); err != nil {
			return fmt.Errorf("add arch %v: %w", arch, err)
		}
	}
	native, err := libseccomp.GetNativeArch() // a new filter has it
	if err != nil {
		return fmt.Errorf("find native arch: %w", err)
	}
	if slices.Contains(archs, native) {
		return nil
	}
	if err := f.RemoveArch(native); err != nil {
		return fmt.Errorf("remove arch %v: %w", native, err)
	}
	return nil
}

// addRules adds what the policy denies, for all archs of the filter at once.
func addRules(f *libseccomp.ScmpFilter, p engine.Policy, m machine, l engine.Limits) error {
	rules := denials(p, l)
	if len(rules) > maxRules(m) {
		return errTooLong(fmt.Sprintf("more than %d", cbpf.MaxInsns))
	}
	if m.hasSocketcall() {
		if err := addSocketcall(f, p.DenyErrno.Errno(engine.NoFamily), socketcallSocket, socketcallSocketpair); err != nil {
			return err
		}
	}
	calls := []string{"pidfd_getfd", "process_vm_writev"}
	if !m[0].rings && !m[0].noFastOpen {
		calls = append(calls, ringCalls...)
	}
	for _, name := range calls {
		if err := addRule(f, name, engine.EPERM); err != nil {
			return err
		}
	}
	for _, request := range []uint32{ptraceAttach, ptraceSeize} {
		if err := addRule(f, "ptrace", engine.EPERM, block{^uint32(0), request}); err != nil {
			return err
		}
	}
	for _, name := range []string{"socket", "socketpair"} {
		for _, d := range rules {
			if err := addRule(f, name, d.errno, d.family, d.typ, d.protocol); err != nil {
				return err
			}
		}
	}
	return nil
}

var ringCalls = []string{"io_uring_setup", "io_uring_enter", "io_uring_register"}

// addFastOpen denies what makes a TCP connection by a message.
func addFastOpen(f *libseccomp.ScmpFilter, m machine) error {
	if m.hasSocketcall() {
		if err := addSocketcall(f, engine.EOPNOTSUPP, socketcallSendto, socketcallSendmsg, socketcallSendmmsg); err != nil {
			return err
		}
	}
	flags := block{msgFastOpen, msgFastOpen}
	for name, args := range map[string][]block{"sendto": {{}, {}, {}, flags}, "sendmsg": {{}, {}, flags}, "sendmmsg": {{}, {}, {}, flags}} {
		if err := addRule(f, name, engine.EOPNOTSUPP, args...); err != nil {
			return err
		}
	}
	for _, name := range ringCalls {
		if err := addRule(f, name, engine.EPERM); err != nil {
			return err
		}
	}
	return nil
}

// maxRules is where libseccomp is not asked any more, as it takes a time that
// grows with the square of the rules: a rule is two instructions and more, once
// for the 64-bit archs and once for the 32-bit ones.
func maxRules(m machine) int {
	known := 0
	for _, t := range m {
		if libseccompArchs[t.audit] != nil {
			known++
		}
	}
	return cbpf.MaxInsns / 2 / max(known, 1)
}

// addSocketcall denies the calls of socketcall(2) that make sockets. It has to
// come before the rules for those: on i386 libseccomp adds to each a second one
// for socketcall(2), with call 1 or 8 as the first argument and the conditions
// on type and protocol kept, though there is a pointer in the place of the one
// and nothing in that of the other. Those rules vanish where one for the call
// alone is already, provided that it is the very same comparison: a plain one,
// which on i386 has 32 bits.
func addSocketcall(f *libseccomp.ScmpFilter, errno engine.Errno, calls ...uint64) error {
	for _, call := range calls {
		condition, err := libseccomp.MakeCondition(0, libseccomp.CompareEqual, call)
		if err != nil {
			return fmt.Errorf("condition of socketcall: %w", err)
		}
		if err := addConditional(f, "socketcall", errno, condition); err != nil {
			return err
		}
	}
	return nil
}

// addRule denies the calls with all arguments in their blocks.
func addRule(f *libseccomp.ScmpFilter, name string, errno engine.Errno, args ...block) error {
	var conditions []libseccomp.ScmpCondition
	for i, b := range args {
		if b == (block{}) {
			continue
		}
		// Every other comparison is with all 64 bits on a 64-bit arch.
		condition, err := libseccomp.MakeCondition(uint(i), libseccomp.CompareMaskedEqual, uint64(b.mask), uint64(b.value))
		if err != nil {
			return fmt.Errorf("condition of %s: %w", name, err)
		}
		conditions = append(conditions, condition)
	}
	return addConditional(f, name, errno, conditions...)
}

func addConditional(f *libseccomp.ScmpFilter, name string, errno engine.Errno, conditions ...libseccomp.ScmpCondition) error {
	call, err := libseccomp.GetSyscallFromName(name)
	if err != nil {
		return fmt.Errorf("find call %s: %w", name, err)
	}
	if err := f.AddRuleConditional(call, libseccomp.ActErrno.SetReturnCode(int16(errno)), conditions); err != nil {
		return fmt.Errorf("add rule for %s: %w", name, err)
	}
	return nil
}

// export reads the program back from a file in memory: before 2.6 libseccomp can
// write it to a descriptor only. It ignores a write that is cut short, but what
// is left then does not pass the check: jumps go forward and there is no dead
// code, so something before the cut leads behind it.
func export(f *libseccomp.ScmpFilter) (cbpf.Program, error) {
	fd, err := unix.MemfdCreate("sockade-libseccomp", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	file := os.NewFile(uintptr(fd), "libseccomp export")
	defer file.Close()
	if err := f.ExportBPF(file); err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	raw, err := io.ReadAll(io.NewSectionReader(file, 0, math.MaxInt64))
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	const size = 8 // struct sock_filter
	prog := make(cbpf.Program, 0, len(raw)/size)
	for in := range slices.Chunk(raw[:len(raw)/size*size], size) {
		prog = append(prog, bpf.RawInstruction{
			Op: binary.NativeEndian.Uint16(in), Jt: in[2], Jf: in[3], K: binary.NativeEndian.Uint32(in[4:]),
		})
	}
	if len(prog) > cbpf.MaxInsns {
		return nil, errTooLong(strconv.Itoa(len(prog)))
	}
	if err := cbpf.Check(prog); err != nil {
		return nil, fmt.Errorf("check program: %w", err)
	}
	return prog, nil
}

func errTooLong(length string) error {
	return fmt.Errorf("program needs %s instructions; the kernel takes %d: the seccomp backend has shorter programs", length, cbpf.MaxInsns)
}
