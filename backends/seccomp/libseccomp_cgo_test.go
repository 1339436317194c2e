// SPDX-License-Identifier: Apache-2.0

//go:build libseccomp && linux && cgo

package seccomp

import (
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
)

const auditX86_64 = 0xc000003e

// differs tells the calls that the two compilers may decide differently.
func differs(d cbpf.Data) bool {
	switch d.Arch {
	case 0x400000f3:
		return true // libseccomp has no riscv32: the call kills
	case auditX86_64:
		// compile decides x86-64 and x32 as one; libseccomp has no name for the
		// numbers that only the other of the two uses. The kernel has no such
		// calls since 5.4 (arch/x86/entry/syscalls/syscall_64.tbl): ENOSYS.
		nr := uint32(d.Nr)
		return slices.Contains([]uint32{521, 540, 1<<30 | 101, 1<<30 | 311}, nr)
	}
	return false
}

// pair is one policy as both compilers turn it into a program.
type pair struct {
	ours, theirs cbpf.Program
	policy       engine.Policy
}

// compileBoth returns false for a policy that is too long for libseccomp.
func compileBoth(t testing.TB, p engine.Policy, m machine, l engine.Limits) (pair, bool) {
	t.Helper()
	theirs, err := compileLibseccomp(p, m, l)
	if err != nil {
		if !strings.Contains(err.Error(), "the kernel takes 4096") {
			t.Fatalf("policy %v: %v", p, err)
		}
		return pair{}, false
	}
	if err := cbpf.Check(theirs); err != nil {
		t.Fatalf("the kernel would refuse the filter of %v: %v", p, err)
	}
	return pair{mustCompile(t, p, m, l), theirs, p}, true
}

func (x pair) check(t testing.TB, d cbpf.Data) {
	t.Helper()
	if differs(d) {
		return
	}
	if ours, theirs := run(t, x.ours, d), run(t, x.theirs, d); ours != theirs {
		t.Fatalf("arch %#x call %#x args %#x: seccomp returns %#x, libseccomp %#x; policy %v", d.Arch, uint32(d.Nr), d.Args[:3], ours, theirs, x.policy)
	}
}

// checkRandom compares the programs on n requests near the bounds and the
// policy, through every entry of the machine.
func (x pair) checkRandom(t testing.TB, r *rand.Rand, m machine, n int) {
	t.Helper()
	for range n {
		q := randomRequest(r, x.policy)
		table := m[r.IntN(len(m))]
		nr := table.create[r.IntN(len(table.create))]
		if table.nrMask != 0 && r.IntN(2) == 0 {
			nr |= ^table.nrMask
		}
		x.check(t, cbpf.Data{Nr: int32(nr), Arch: table.audit, IP: r.Uint64(), Args: [6]uint64{wide(r, q.Family), wide(r, q.Type), wide(r, q.Protocol), r.Uint64()}})
	}
}

// checkEdges compares the programs on every family and type, the bounds and
// every bit of either, and the neighbours of the protocols that the policy names.
func (x pair) checkEdges(t testing.TB, r *rand.Rand, m machine, l engine.Limits) {
	t.Helper()
	families := []uint32{1<<31 - 1, 1 << 31, ^uint32(0)}
	for f := range uint32(l.AFMax) + 3 {
		families = append(families, f)
	}
	types := []uint32{uint32(engine.TypeFlags)}
	for typ := range uint32(16) {
		types = append(types, typ, typ|[]uint32{uint32(engine.SockNonblock), uint32(engine.SockCloexec)}[r.IntN(2)])
	}
	protocols := []uint32{0, 65534, 65535, 1<<31 - 1, 1 << 31, ^uint32(0)}
	for i := range 32 {
		types = append(types, 2|1<<i)
		families = append(families, 1<<i, 2|1<<i)
		protocols = append(protocols, 1<<i, 6|1<<i)
	}
	for _, a := range x.policy.Expand() {
		for _, v := range a.Protocols.List {
			protocols = append(protocols, uint32(v), uint32(v+1), uint32(v-1), uint32(v^1), uint32(v)|1<<16)
		}
	}
	for _, f := range families {
		for _, typ := range types {
			// All protocols for some of what may be allowed, one for the others.
			some := protocols
			if f >= uint32(l.AFMax) || bits.OnesCount32(typ&badFlags) > 0 || r.IntN(12) > 0 {
				some = protocols[r.IntN(len(protocols)):][:1]
			}
			for _, protocol := range some {
				table := m[r.IntN(len(m))]
				nr := table.create[r.IntN(len(table.create))]
				if table.nrMask != 0 && r.IntN(2) == 0 {
					nr |= ^table.nrMask
				}
				x.check(t, cbpf.Data{Nr: int32(nr), Arch: table.audit, Args: [6]uint64{wide(r, int32(f)), wide(r, int32(typ)), wide(r, int32(protocol))}})
			}
		}
	}
}

// checkCalls compares the programs on every call of every table, and on what
// is in no table.
func (x pair) checkCalls(t testing.TB, r *rand.Rand, m machine) {
	t.Helper()
	arg0 := []uint64{0, 1, 2, 7, 8, 9, ptraceAttach, ptraceSeize, ptraceSeize - 1, 1 << 32, 1<<32 | 1, 1<<32 | 8, 0xdead<<32 | ptraceAttach, 1<<63 | ptraceSeize}
	nrs := []uint32{1 << 30, 1<<30 | 600, 1<<31 - 1, 1 << 31, 1<<31 | 41, 3<<30 | 41, ^uint32(0), ^uint32(1)}
	for nr := range uint32(600) {
		nrs = append(nrs, nr, nr|1<<30)
	}
	archs := []uint32{0, 0xc0000015, 0x80000016, ^uint32(0)} // ppc64le, s390x
	var byArg []uint32
	for _, table := range m {
		archs = append(archs, table.audit)
		byArg = slices.Concat(byArg, table.socketcall, table.ptrace)
	}
	for _, arch := range archs {
		for _, nr := range nrs {
			some := arg0
			if !slices.Contains(byArg, nr&^(1<<30)) {
				some = arg0[r.IntN(len(arg0)):][:1]
			}
			for _, a := range some {
				x.check(t, cbpf.Data{Nr: int32(nr), Arch: arch, Args: [6]uint64{a, r.Uint64N(12) << (r.Uint64N(2) * 32), r.Uint64N(300)}})
			}
		}
	}
}

func (x pair) checkAll(t testing.TB, r *rand.Rand, m machine, l engine.Limits) {
	t.Helper()
	x.checkRandom(t, r, m, 3_000)
	x.checkEdges(t, r, m, l)
	x.checkCalls(t, r, m)
}

func TestLibseccompAgrees(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	all := policies(t)
	for _, here := range machines {
		goarch, m := here.goarch, here.tables
		t.Run(goarch, func(t *testing.T) {
			for i, name := range slices.Sorted(maps.Keys(all)) {
				p := all[name]
				p.DenyErrno = engine.DenyErrno(i % 2)
				x, ok := compileBoth(t, p, m, engine.KnownLimits)
				if !ok {
					t.Errorf("%s is too long for libseccomp", name)
					continue
				}
				t.Logf("%-45s libseccomp %4d instructions, seccomp %3d", name, len(x.theirs), len(x.ours))
				x.checkAll(t, r, m, engine.KnownLimits)
			}
		})
	}
}

func TestLibseccompAgreesOnRandomPolicies(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	limits := []engine.Limits{engine.KnownLimits, {AFMax: 45, SockMax: 11}, {AFMax: 60, SockMax: 13}, {AFMax: 64, SockMax: 16}, {AFMax: 1, SockMax: 1}}
	for _, m := range []machine{machineOf("amd64"), machineOf("arm64")} {
		tooLong := 0
		for i := range 30 {
			l := limits[i%len(limits)]
			p := randomPolicy(r, 1+i%6)
			x, ok := compileBoth(t, p, m, l)
			if !ok {
				tooLong++
				continue
			}
			x.checkAll(t, r, m, l)
		}
		t.Logf("%s: %d of 30 policies are too long", m[0].name, tooLong)
		if tooLong > 20 {
			t.Errorf("%d of 30 policies are too long: too few are compared", tooLong)
		}
	}
}

// FuzzLibseccomp holds both compilers to the reference and to each other. Longer
// policies are too long for libseccomp.
func FuzzLibseccomp(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint8(3))
	f.Fuzz(func(t *testing.T, a, b uint64, rules uint8) {
		r := rand.New(rand.NewPCG(a, b))
		m := machines[r.IntN(len(machines))].tables
		l := engine.Limits{AFMax: 1 + r.Int32N(70), SockMax: 1 + r.Int32N(16)}
		if x, ok := compileBoth(t, randomPolicy(r, int(rules)%8), m, l); ok {
			x.checkRandom(t, r, m, 200)
		}
	})
}

// TestDenialsAreDisjoint: no request is in two rules, so it does not matter in
// which order libseccomp puts them.
func TestDenialsAreDisjoint(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	meet := func(a, b block) bool { return (a.value^b.value)&a.mask&b.mask == 0 }
	for range 50 {
		p := randomPolicy(r, r.IntN(12))
		rules := denials(p, engine.KnownLimits)
		for i, a := range rules {
			for _, b := range rules[:i] {
				if meet(a.family, b.family) && meet(a.typ, b.typ) && meet(a.protocol, b.protocol) {
					t.Fatalf("%+v and %+v overlap; policy %v", a, b, p)
				}
			}
		}
	}
}

// TestLibseccompIsDeterministic: the same policy gives the same bytes.
func TestLibseccompIsDeterministic(t *testing.T) {
	p := policies(t)["unix,udp"]
	first, _ := compileBoth(t, p, machineOf("amd64"), engine.KnownLimits)
	again, _ := compileBoth(t, p, machineOf("amd64"), engine.KnownLimits)
	if first.theirs.String() != again.theirs.String() {
		t.Error("the same policy gives two programs")
	}
}

func TestLibseccompTooLong(t *testing.T) {
	for _, rules := range []int{25, 500} { // found by libseccomp, and before it
		var p engine.Policy
		for i := range int32(rules) {
			p.Rules = append(p.Rules, engine.Rule{Family: 1 + i%45, Type: 1 + i/45%5, Protocol: 2 * i})
		}
		_, err := NewLibseccomp().Prepare(p, engine.Support{Available: true, Limits: engine.KnownLimits})
		if err == nil || !strings.Contains(err.Error(), "the kernel takes 4096") {
			t.Errorf("error %v does not name the kernel's limit", err)
		}
		t.Logf("%d rules: %v", rules, err)
		if c := NewLibseccomp().Assess(p, engine.Support{Limits: engine.KnownLimits}); len(c.Gaps) != 1 || c.Gaps[0].ID != engine.FindingCreate {
			t.Errorf("a policy that does not fit is no gap: %+v", c)
		}
	}
}

// TestLibseccompLoads loads one filter for real, in a child that reports what
// its sockets got.
func TestLibseccompLoads(t *testing.T) {
	const child = "SOCKADE_TEST_LIBSECCOMP_CHILD"
	p := policies(t)["tcp"]
	requests := []engine.Request{
		{Family: unix.AF_UNIX, Type: unix.SOCK_STREAM},
		{Family: unix.AF_INET, Type: unix.SOCK_STREAM},
		{Family: unix.AF_INET, Type: unix.SOCK_STREAM | unix.SOCK_CLOEXEC, Protocol: unix.IPPROTO_TCP},
		{Family: unix.AF_INET, Type: unix.SOCK_DGRAM},
		{Family: unix.AF_INET, Type: unix.SOCK_STREAM | 16},
		{Family: 200, Type: unix.SOCK_STREAM},
		{Family: 200, Type: 15},
		{Family: unix.AF_NETLINK, Type: unix.SOCK_RAW},
	}
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLibseccompLoads$")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), fmt.Sprintf("\nverdicts %d\n", len(requests))) {
			t.Fatalf("child: %v\n%s", err, out)
		}
		return
	}
	b := NewLibseccomp()
	s := b.Probe(engine.Trial)
	if !s.Available {
		t.Fatal(s.Reason)
	}
	l, err := b.Prepare(p, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Enforce(engine.Process); err != nil {
		t.Fatal(err)
	}
	agreed := 0
	for _, q := range requests {
		fd, err := unix.Socket(int(q.Family), int(q.Type), int(q.Protocol))
		if err == nil {
			unix.Close(fd)
		}
		v := p.Decide(q, s.Limits)
		if v.Allowed != (err == nil) || !v.Allowed && !errors.Is(err, unix.Errno(v.Errno)) {
			t.Errorf("%v: got %v, the reference says %+v", q, err, v)
			continue
		}
		agreed++
	}
	fmt.Printf("\nverdicts %d\n", agreed)
}

func TestLibseccompFastOpen(t *testing.T) { checkFastOpen(t, compileLibseccomp) }
