// SPDX-License-Identifier: Apache-2.0

//go:build linux

package seccomp

import (
	"slices"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/internal/testutil"
)

// defect is a mistake that a filter compiler is known to make, put into ours.
type defect struct {
	name    string
	compile compileFunc
}

func (d defect) backend() engine.Backend {
	return backend{name: "defect: " + d.name, compile: d.compile, ring: compileRing}
}

// inMachine makes a defect of the syscall tables.
func inMachine(change func(*table)) compileFunc {
	return func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		m = slices.Clone(m)
		for i := range m {
			change(&m[i])
		}
		return compile(p, m, l)
	}
}

// inProtocols makes a defect of the protocols of every family and type.
func inProtocols(change func(engine.Protocols) engine.Protocols) compileFunc {
	return func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		c := newCompiler(p, l)
		for i := range c.allowed {
			c.allowed[i].Protocols = change(c.allowed[i].Protocols)
		}
		return c.filter(m)
	}
}

// inProgram makes a defect of the instructions.
func inProgram(change func(*bpf.RawInstruction)) compileFunc {
	return func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		prog, err := compile(p, m, l)
		for i := range prog {
			change(&prog[i])
		}
		return prog, err
	}
}

// prefixed puts instructions in front that end the program early or fall through.
func prefixed(prefix ...bpf.RawInstruction) compileFunc {
	return func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		prog, err := compile(p, m, l)
		return append(slices.Clone(prefix), prog...), err
	}
}

const (
	opLoad = 0x20 // BPF_LD | BPF_W | BPF_ABS
	opAnd  = 0x54 // BPF_ALU | BPF_AND | BPF_K
	opJeq  = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	opRet  = 0x06 // BPF_RET | BPF_K
)

var defects = []defect{
	{"64-bit compare: what has anything in an upper half is let through", prefixed(
		bpf.RawInstruction{Op: opLoad, K: offArg0 + 4},
		bpf.RawInstruction{Op: opJeq, K: 0, Jt: 1},
		bpf.RawInstruction{Op: opRet, K: cbpf.RetAllow},
	)},
	{"unmasked type: flags stay in the comparison", inProgram(func(i *bpf.RawInstruction) {
		if i.Op == opAnd && i.K == uint32(engine.TypeMask) {
			i.K = ^uint32(0)
		}
	})},
	{"flags are cut off and not checked", inProgram(func(i *bpf.RawInstruction) {
		if i.K == ^uint32(engine.TypeMask|engine.TypeFlags) {
			i.K = 0
		}
	})},
	{"no SOCK_PACKET alias: inet with any type has type 10 too", func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		if set, _ := newCompiler(p, l).answer(unix.AF_INET, 0); !set.Any {
			return compile(p, m, l)
		}
		return prefixed(
			bpf.RawInstruction{Op: opLoad, K: offArg0},
			bpf.RawInstruction{Op: opJeq, K: unix.AF_INET, Jf: 4},
			bpf.RawInstruction{Op: opLoad, K: offArg0 + argSize},
			bpf.RawInstruction{Op: opAnd, K: uint32(engine.TypeMask)},
			bpf.RawInstruction{Op: opJeq, K: unix.SOCK_PACKET, Jf: 1},
			bpf.RawInstruction{Op: opRet, K: cbpf.RetAllow},
		)(p, m, l)
	}},
	{"no canonical identity: protocol 0 is not TCP", inProtocols(func(set engine.Protocols) engine.Protocols {
		set.List = slices.DeleteFunc(slices.Clone(set.List), func(v int32) bool { return v == 0 })
		return set
	})},
	{"protocol never looked at", inProtocols(func(engine.Protocols) engine.Protocols { return engine.Protocols{Any: true} })},
	{"socketpair forgotten", inMachine(func(t *table) { t.create = t.create[:1] })},
	{"i386 direct calls forgotten", inMachine(func(t *table) {
		if t.name == "i386" {
			t.create = nil
		}
	})},
	{"socketcall forgotten", inMachine(func(t *table) { t.socketcall = nil })},
	{"io_uring forgotten", func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		return compile(p, m.withRings(), l)
	}},
	{"families beyond AF_MAX get the deny errno", func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		return compile(p, m, engine.Limits{AFMax: 255, SockMax: l.SockMax})
	}},
	{"types beyond SOCK_MAX get the deny errno", func(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
		return compile(p, m, engine.Limits{AFMax: l.AFMax, SockMax: 16})
	}},
	{"unknown family is let through", inProgram(func(i *bpf.RawInstruction) {
		if i.Op == opRet && i.K == cbpf.RetErrno(uint16(engine.EAFNOSUPPORT)) {
			i.K = cbpf.RetAllow
		}
	})},
	{"one errno for every denial", inProgram(func(i *bpf.RawInstruction) {
		if i.Op == opRet && (i.K == cbpf.RetErrno(uint16(engine.EPROTONOSUPPORT)) || i.K == cbpf.RetErrno(uint16(engine.ESOCKTNOSUPPORT))) {
			i.K = cbpf.RetErrno(uint16(engine.EAFNOSUPPORT))
		}
	})},
}

// TestMutants: every defect must be seen as a divergence by the conformance
// run, and so must a backend that does nothing. It takes every policy, since
// most defects show only where a policy has the shape for it.
func TestMutants(t *testing.T) {
	all := []engine.Backend{nothing{}}
	for _, d := range defects {
		all = append(all, d.backend())
	}
	checkMutants(t, conformance.Config{Backends: all, Seed: 1, Thin: 11})
}

func checkMutants(t *testing.T, c conformance.Config) {
	t.Helper()
	report, err := conformance.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Backends {
		if r.Divergences == 0 {
			t.Errorf("%s: not seen in %d requests", r.Name, r.Requests)
			continue
		}
		t.Logf("%s: %d divergences in %d requests, the first: %v", r.Name, r.Divergences, r.Requests, r.Diverged[0])
	}
}

// ringMutants have mistakes in the filter of io_uring.
func ringMutants() []engine.Backend {
	var out []engine.Backend
	for _, d := range []struct {
		name string
		ring func(engine.Policy, engine.Limits) (cbpf.Program, error)
	}{
		{"everything is let through", func(engine.Policy, engine.Limits) (cbpf.Program, error) {
			return cbpf.Program{{Op: opRet, K: ringAllow}}, nil
		}},
		{"families beyond AF_MAX are denied", func(p engine.Policy, l engine.Limits) (cbpf.Program, error) {
			return compileRing(p, engine.Limits{AFMax: 255, SockMax: l.SockMax})
		}},
		{"types beyond SOCK_MAX are denied", func(p engine.Policy, l engine.Limits) (cbpf.Program, error) {
			return compileRing(p, engine.Limits{AFMax: l.AFMax, SockMax: 16})
		}},
		{"a rule too many", func(p engine.Policy, l engine.Limits) (cbpf.Program, error) {
			p.Rules = append(slices.Clone(p.Rules), engine.Rule{Family: unix.AF_INET, Type: unix.SOCK_DGRAM, Protocol: engine.Any})
			return compileRing(p, l)
		}},
	} {
		out = append(out, backend{name: "io_uring: " + d.name, compile: compile, ring: d.ring})
	}
	return out
}

// TestRingMutants is TestMutants for the filter of io_uring.
func TestRingMutants(t *testing.T) {
	testutil.Need(t, "io_uring-filter", missingRingFilter(), "boot Linux 7.1 or later (CONFIG_IO_URING_BPF)")
	var cases []conformance.Case
	for _, text := range []string{"unix", "tcp"} {
		cases = append(cases, conformance.Case{Name: text, Policy: policies(t)[text]})
	}
	checkMutants(t, conformance.Config{Backends: ringMutants(), Cases: cases, Thin: 23})
}

// missingRingFilter says why this kernel has no filters of io_uring.
func missingRingFilter() string {
	if New().Probe(engine.Trial).Has(RingFilter) {
		return ""
	}
	return "io_uring has no filters here"
}
