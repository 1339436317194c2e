// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
)

var update = flag.Bool("update", false, "write the golden files")

// policies are those whose filters are compared with the reference, one of
// each shape that the compiler treats in its own way.
func policies(t testing.TB) map[string]engine.Policy {
	t.Helper()
	out := map[string]engine.Policy{"none": {}}
	for _, text := range []string{
		"all", "unix", "unix/raw", "tcp", "unix,udp", "inet/*/tcp", "inet/*/0", "inet6/seqpacket", "netlink/raw/route", "packet/raw/0x0300",
		"packet/packet", "inet,packet/packet/0x0300", "vsock/stream/0", "phonet", "phonet/dgram/1,phonet/seqpacket/0", "llc/stream/7",
		"inet/*/132,inet6/stream", "unspec", "mctp,250", "unix/200", "alg/seqpacket,inet/raw/255,inet/stream/mptcp",
	} {
		p, err := engine.ParseAllow(engine.SplitRules(text), nil)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		out[text] = p
	}
	return out
}

// randomPolicy has rules of all shapes, crowded enough to touch each other.
func randomPolicy(r *rand.Rand, rules int) engine.Policy {
	var p engine.Policy
	for len(p.Rules) < rules {
		rule := engine.Rule{Family: r.Int32N(48), Type: r.Int32N(12) - 1, Protocol: engine.Any}
		if r.IntN(3) > 0 {
			rule.Protocol = []int32{0, 1, 2, 6, 17, 40, 58, 132, 255, 256, 262, 768, 65534, r.Int32N(65535)}[r.IntN(14)]
		}
		if (engine.Policy{Rules: []engine.Rule{rule}}).Validate() == nil {
			p.Rules = append(p.Rules, rule)
		}
	}
	p.DenyErrno = engine.DenyErrno(r.IntN(2))
	return p
}

// randomRequest is near the bounds and near the policy more often than not.
func randomRequest(r *rand.Rand, p engine.Policy) engine.Request {
	pick := func(v ...int32) int32 { return v[r.IntN(len(v))] }
	q := engine.Request{
		Family:   pick(r.Int32N(48), r.Int32N(48), -1, 45, 46, 47, 1<<31-1, -1<<31, int32(r.Uint32())),
		Type:     pick(r.Int32N(11), r.Int32N(11), r.Int32N(16), int32(r.Uint32())),
		Protocol: pick(0, 1, 2, 6, 17, 40, 58, 132, 255, 256, 262, 768, 65534, 65535, 65536+6, -1, -1<<31, r.Int32N(65535), int32(r.Uint32())),
	}
	if len(p.Rules) > 0 && r.IntN(2) == 0 {
		rule := p.Rules[r.IntN(len(p.Rules))]
		q.Family = rule.Family
		if r.IntN(2) == 0 && rule.Type >= 0 {
			q.Type = rule.Type
		}
		if r.IntN(2) == 0 && rule.Protocol >= 0 {
			q.Protocol = rule.Protocol + pick(0, 0, 0, 1, -1, 1<<16)
		}
	}
	return engine.Request{Family: q.Family, Type: q.Type | pick(0, 0, 0, engine.SockCloexec, engine.SockNonblock, engine.TypeFlags, 16, 1<<30, -1<<31), Protocol: q.Protocol}
}

// wide puts garbage above the low word of an argument, as a caller may.
func wide(r *rand.Rand, v int32) uint64 {
	return uint64(uint32(v)) | uint64(r.Uint32()&-uint32(r.IntN(2)))<<32
}

// want is the verdict of the reference as a filter's return value.
func want(p engine.Policy, q engine.Request, l engine.Limits) uint32 {
	if p.All {
		return cbpf.RetAllow // the kernel itself refuses what is malformed
	}
	v := p.Decide(q, l)
	if v.Allowed {
		return cbpf.RetAllow
	}
	return cbpf.RetErrno(uint16(v.Errno))
}

func mustCompile(t testing.TB, p engine.Policy, m machine, l engine.Limits) cbpf.Program {
	t.Helper()
	prog, err := compile(p, m, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := cbpf.Check(prog); err != nil {
		t.Fatalf("the kernel would refuse the filter of %v: %v", p, err)
	}
	return prog
}

func run(t testing.TB, prog cbpf.Program, d cbpf.Data) uint32 {
	t.Helper()
	got, _, err := prog.Run(d)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// checkCreate compares the filter with the reference on n random requests
// through every call of every table of the machine.
func checkCreate(t *testing.T, r *rand.Rand, p engine.Policy, m machine, l engine.Limits, n int) {
	t.Helper()
	prog := mustCompile(t, p, m, l)
	for range n {
		q := randomRequest(r, p)
		table := m[r.IntN(len(m))]
		nr := table.create[r.IntN(len(table.create))]
		if table.nrMask != 0 && r.IntN(2) == 0 {
			nr |= ^table.nrMask
		}
		d := cbpf.Data{Nr: int32(nr), Arch: table.audit, IP: r.Uint64(), Args: [6]uint64{wide(r, q.Family), wide(r, q.Type), wide(r, q.Protocol), r.Uint64()}}
		if got, want := run(t, prog, d), want(p, q, l); got != want {
			t.Fatalf("%s call %d, %+v: filter returns %#x, the reference says %#x; policy %v", table.name, nr, q, got, want, p)
		}
	}
}

// checkRing compares the filter of io_uring with the reference. What is malformed
// has to get to the kernel.
func checkRing(t *testing.T, r *rand.Rand, p engine.Policy, l engine.Limits, n int) {
	t.Helper()
	prog, err := compileRing(p, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := cbpf.CheckRing(prog); err != nil {
		t.Fatalf("the kernel would refuse the filter of %v: %v", p, err)
	}
	for range n {
		q := randomRequest(r, p)
		want := uint32(ringAllow)
		switch v := p.Decide(q, l); v.Cause {
		case engine.NoFamily, engine.NoType, engine.NoProto:
			want = ringDeny
		}
		got, _, err := prog.RunRing(cbpf.RingData{Family: uint32(q.Family), SockType: uint32(q.Type), Protocol: uint32(q.Protocol)})
		if err != nil || got != want {
			t.Fatalf("%+v: filter of io_uring returns %d, %v; the reference says %d; policy %v", q, got, err, want, p)
		}
	}
}

func TestCompileAgreesWithReference(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	limits := []engine.Limits{engine.KnownLimits, {AFMax: 45, SockMax: 11}, {AFMax: 60, SockMax: 13}, {AFMax: 46, SockMax: 16}}
	t.Run("io_uring", func(t *testing.T) {
		for _, l := range limits {
			for _, p := range policies(t) {
				if !p.All { // has no filter of io_uring
					checkRing(t, r, p, l, 2000)
				}
			}
			for _, rules := range []int{1, 3, 8, 64, 200} {
				checkRing(t, r, randomPolicy(r, rules), l, 20_000)
			}
		}
	})
	for _, here := range machines {
		goarch, m := here.goarch, here.tables
		t.Run(goarch, func(t *testing.T) {
			for _, l := range limits {
				for _, p := range policies(t) {
					checkCreate(t, r, p, m, l, 2000)
					p.DenyErrno = engine.DenyUnsupported
					checkCreate(t, r, p, m, l, 2000)
				}
				for _, rules := range []int{1, 3, 8, 64, 200} {
					checkCreate(t, r, randomPolicy(r, rules), m, l, 20_000)
				}
			}
		})
	}
}

// TestOtherCalls pins what is decided beside socket and socketpair, and that
// every other call is a constant, which the kernel serves without the filter.
func TestOtherCalls(t *testing.T) {
	p := policies(t)["tcp"]
	eperm, eacces := cbpf.RetErrno(uint16(engine.EPERM)), cbpf.RetErrno(uint16(engine.EACCES))
	for _, here := range machines {
		goarch, m := here.goarch, here.tables
		prog := mustCompile(t, p, m, engine.KnownLimits)
		for _, table := range m {
			byArg := slices.Concat(table.create, table.socketcall, table.ptrace)
			denied := slices.Concat([]uint32{425, 426, 427, 438}, table.processVMWritev)
			for nr := range uint32(1024) {
				if slices.Contains(byArg, nr) {
					continue
				}
				want := cbpf.RetAllow
				if slices.Contains(denied, nr) {
					want = eperm
				}
				got, constant := cbpf.ConstantFor(prog, int32(nr), table.audit)
				if !constant || got != want {
					t.Errorf("%s %s call %d: %#x, constant %v; want %#x", goarch, table.name, nr, got, constant, want)
				}
			}
			at := func(nr uint32, arg0 uint64) uint32 {
				return run(t, prog, cbpf.Data{Nr: int32(nr), Arch: table.audit, Args: [6]uint64{arg0}})
			}
			for _, nr := range table.socketcall {
				for call := range uint64(25) {
					want := cbpf.RetAllow
					if call == 1 || call == 8 {
						want = eacces
					}
					if got := at(nr, call|0xdead<<32); got != want {
						t.Errorf("%s socketcall %d: %#x, want %#x", table.name, call, got, want)
					}
				}
			}
			for _, nr := range table.ptrace {
				for request, want := range map[uint64]uint32{0: cbpf.RetAllow, 7: cbpf.RetAllow, 16: eperm, 0x4206: eperm, 0x4200: cbpf.RetAllow} {
					if got := at(nr, request); got != want {
						t.Errorf("%s ptrace %#x: %#x, want %#x", table.name, request, got, want)
					}
				}
			}
		}
		for _, arch := range []uint32{0, 0xc0000015, 0x80000016, ^uint32(0)} {
			if got := run(t, prog, cbpf.Data{Nr: 1, Arch: arch}); got != cbpf.RetKillProcess {
				t.Errorf("%s: a call by arch %#x returns %#x; it should kill", goarch, arch, got)
			}
		}
	}
}

// TestPolicyAll loads nothing that could narrow: not even an unknown arch.
func TestPolicyAll(t *testing.T) {
	prog := mustCompile(t, engine.Policy{All: true}, machineOf("arm64"), engine.KnownLimits)
	if len(prog) != 1 || run(t, prog, cbpf.Data{Nr: 425, Arch: 1}) != cbpf.RetAllow {
		t.Errorf("the filter of all is\n%v", prog)
	}
	if c := New().Assess(engine.Policy{All: true}, engine.Support{Limits: engine.KnownLimits}); len(c.Narrowings)+len(c.Gaps)+len(c.Unseen) > 0 {
		t.Errorf("all has findings: %+v", c)
	}
}

// TestFlatCost: a decision takes few more instructions with 500 rules than
// with one, since it is a search and not a chain.
func TestFlatCost(t *testing.T) {
	var p engine.Policy
	for i := range int32(500) {
		p.Rules = append(p.Rules, engine.Rule{Family: 1 + i%45, Type: 1 + i/45%5, Protocol: 2 * i})
	}
	prog := mustCompile(t, p, machineOf("amd64"), engine.KnownLimits)
	most := 0
	for _, rule := range p.Rules {
		d := cbpf.Data{Nr: 41, Arch: 0xc000003e, Args: [6]uint64{uint64(rule.Family), uint64(rule.Type), uint64(rule.Protocol)}}
		verdict, executed, err := prog.Run(d)
		if err != nil || verdict != cbpf.RetAllow {
			t.Fatalf("%v: %#x, %v", rule, verdict, err)
		}
		most = max(most, executed)
	}
	t.Logf("500 rules: %d instructions, at most %d executed", len(prog), most)
	if most > 40 {
		t.Errorf("a decision executes %d instructions", most)
	}
}

func TestTooLongPolicy(t *testing.T) {
	var p engine.Policy
	for i := range int32(10_000) {
		p.Rules = append(p.Rules, engine.Rule{Family: 17, Type: 3, Protocol: 3 * i})
	}
	_, err := New().Prepare(p, engine.Support{Available: true, Limits: engine.KnownLimits})
	if err == nil || !strings.Contains(err.Error(), "4096") {
		t.Errorf("error %v does not name the kernel's limit", err)
	}
	if c := New().Assess(p, engine.Support{Limits: engine.KnownLimits}); len(c.Gaps) != 1 || c.Gaps[0].ID != engine.FindingCreate {
		t.Errorf("a policy that does not fit is no gap: %+v", c)
	}
}

// TestSurelyFits: what Assess takes to fit without a look does fit, also where
// every type of a family has a set of protocols of its own that no interval
// covers and no other type shares.
func TestSurelyFits(t *testing.T) {
	few := New().(backend).surelyFits
	for _, families := range []int{1, 2, 5} {
		var p engine.Policy
		for i := range int32(few) {
			rule := engine.Rule{Family: 17 - i%int32(families), Type: engine.Any, Protocol: 7 + 3*i}
			if i < 11 {
				rule.Type = i
			}
			p.Rules = append(p.Rules, rule)
		}
		prog, err := compile(p, machineOf("amd64"), engine.KnownLimits)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d rules in %d families: %d instructions", few, families, len(prog))
		if len(prog) > cbpf.MaxInsns/2 {
			t.Errorf("%d rules take %d instructions: that is too near to the limit of %d", few, len(prog), cbpf.MaxInsns)
		}
	}
}

// TestGolden pins the bytes: same policy, same filter, on every run.
func TestGolden(t *testing.T) {
	for _, text := range []string{"none", "unix", "tcp"} {
		for _, here := range machines {
			goarch, m := here.goarch, here.tables
			path := filepath.Join("testdata", text+"_"+goarch+".golden")
			got := mustCompile(t, policies(t)[text], m, engine.KnownLimits).String()
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) || string(want) != got {
				t.Errorf("%s is stale (%v): look at the change, then go test ./backends/seccomp -run Golden -update", path, err)
			}
		}
	}
}

// TestRings: io_uring is left alone only where it has a filter of its own, and that
// is made only where it can say what the policy says.
func TestRings(t *testing.T) {
	has := engine.Support{Limits: engine.KnownLimits, Features: []engine.Feature{RingFilter}}
	unsupported := policies(t)["tcp"]
	unsupported.DenyErrno = engine.DenyUnsupported
	for name, c := range map[string]struct {
		policy  engine.Policy
		support engine.Support
		setup   uint32 // what io_uring_setup(2) gets
		ring    bool
	}{
		"with filters":       {policies(t)["tcp"], has, cbpf.RetAllow, true},
		"without":            {policies(t)["tcp"], engine.Support{Limits: engine.KnownLimits}, cbpf.RetErrno(uint16(engine.EPERM)), false},
		"with another errno": {unsupported, has, cbpf.RetErrno(uint16(engine.EPERM)), false},
		"everything allowed": {engine.Policy{All: true}, has, cbpf.RetAllow, false},
	} {
		t.Run(name, func(t *testing.T) {
			prepared, err := New().Prepare(c.policy, c.support)
			if err != nil {
				t.Fatal(err)
			}
			l := prepared.(layer)
			if got := run(t, l.prog, cbpf.Data{Nr: 425, Arch: machineOf(runtime.GOARCH)[0].audit}); got != c.setup {
				t.Errorf("io_uring_setup gets %#x, want %#x", got, c.setup)
			}
			if (l.ring != nil) != c.ring {
				t.Errorf("filter of io_uring: %v, want one: %v", l.ring, c.ring)
			}
			narrowed := slices.ContainsFunc(New().Assess(c.policy, c.support).Narrowings, func(f engine.Finding) bool { return f.ID == engine.FindingIOURing })
			if denied := c.setup != cbpf.RetAllow; narrowed != denied {
				t.Errorf("narrowing reported: %v, denied: %v", narrowed, denied)
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(3))
	f.Fuzz(func(t *testing.T, a, b uint64, rules uint8) {
		r := rand.New(rand.NewPCG(a, b))
		l := engine.Limits{AFMax: 1 + r.Int32N(70), SockMax: 1 + r.Int32N(16)}
		p := randomPolicy(r, int(rules))
		checkCreate(t, r, p, machines[r.IntN(len(machines))].tables, l, 200)
		checkRing(t, r, p, l, 200)
	})
}

func TestFastOpen(t *testing.T) { checkFastOpen(t, compile) }

// checkFastOpen: where a policy is about the ports of connections and nobody else looks
// at messages that connect, those are denied, and nothing beside them that was not before.
func checkFastOpen(t *testing.T, compile compileFunc) {
	eopnotsupp, eperm := cbpf.RetErrno(uint16(engine.EOPNOTSUPP)), cbpf.RetErrno(uint16(engine.EPERM))
	for _, goarch := range []string{"amd64", "arm64"} {
		for _, text := range []string{"tcp", "all"} {
			m := machineOf(goarch)
			before, err := compile(policies(t)[text], m, engine.KnownLimits)
			if err != nil {
				t.Fatal(err)
			}
			prog, err := compile(policies(t)[text], m.withoutFastOpen(), engine.KnownLimits)
			if err != nil {
				t.Fatal(err)
			}
			for _, table := range m {
				flagsOf := map[uint32]uint32{}
				for _, s := range table.send {
					flagsOf[s.nr] = s.flags
				}
				for nr := range uint32(600) {
					for _, arg := range []uint64{0, 1, 8, 11, 16, 20, msgFastOpen, msgFastOpen | 0x4040, ^uint64(msgFastOpen), msgFastOpen<<32 | 9} {
						for at := range 4 {
							d := cbpf.Data{Nr: int32(nr), Arch: table.audit}
							if nr >= 512 && table.nrMask != 0 { // of x32 only
								d.Nr |= int32(^table.nrMask)
							}
							d.Args[at] = arg
							want := run(t, before, d)
							flags, isSend := flagsOf[nr]
							switch {
							case isSend && at == int(flags) && arg&msgFastOpen != 0,
								slices.Contains(table.socketcall, nr) && at == 0 && slices.Contains([]uint64{11, 16, 20}, arg):
								want = eopnotsupp
							case slices.Contains(table.uring(), nr):
								want = eperm
							}
							if got := run(t, prog, d); got != want {
								t.Fatalf("%s, %s: call %d with argument %d = %#x: %#x, want %#x", text, table.name, nr, at, arg, got, want)
							}
						}
					}
				}
			}
		}
	}
}

// TestFastOpenAssess: it is done, and said, only where it is needed.
func TestFastOpenAssess(t *testing.T) {
	ports := policies(t)["tcp"]
	ports.Ports.ConnectTCP = engine.PortSet{{First: 443, Last: 443}}
	binds := policies(t)["tcp"]
	binds.Ports.BindTCP = engine.PortSet{}
	all := engine.Policy{All: true, Ports: ports.Ports}
	for name, c := range map[string]struct {
		policy   engine.Policy
		features []engine.Feature
		want     bool
	}{
		"ports":             {ports, nil, true},
		"ports, seen":       {ports, []engine.Feature{engine.FastOpen}, false},
		"ports and filters": {ports, []engine.Feature{RingFilter}, true},
		"binds":             {binds, nil, false},
		"all":               {all, nil, true},
		"all, seen":         {all, []engine.Feature{engine.FastOpen}, false},
	} {
		s := engine.Support{Limits: engine.KnownLimits, Features: c.features}
		n := New().Assess(c.policy, s).Narrowings
		said := slices.ContainsFunc(n, func(f engine.Finding) bool { return f.ID == engine.FindingFastOpen })
		prepared, err := New().Prepare(c.policy, s)
		if err != nil {
			t.Fatal(err)
		}
		l := prepared.(layer)
		send := machineOf(runtime.GOARCH)[0].send[0]
		d := cbpf.Data{Nr: int32(send.nr), Arch: machineOf(runtime.GOARCH)[0].audit}
		d.Args[send.flags] = msgFastOpen
		if done := run(t, l.prog, d) != cbpf.RetAllow; done != c.want || said != c.want || done && l.ring != nil {
			t.Errorf("%s: done %v, said %v, want %v", name, done, said, c.want)
		}
	}
}
