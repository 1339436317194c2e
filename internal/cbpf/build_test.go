// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"flag"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestHashConsing(t *testing.T) {
	var b Builder
	x, y := b.Ret(1), b.Ret(2)
	same := map[string][2]Node{
		"ret":            {b.Ret(1), x},
		"load":           {b.Load(4, b.Jump(JEQ, 1, x, y)), b.Load(4, b.Jump(JEQ, 1, x, y))},
		"equal branches": {b.Jump(JSET, 9, x, x), x},
		"always":         {b.Jump(JGE, 0, x, y), x},
		"never":          {b.Jump(JGT, ^uint32(0), x, y), y},
		"never set":      {b.Jump(JSET, 0, x, y), y},
		"unused load":    {b.Load(8, x), x},
		"unused and":     {b.And(8, b.Load(0, b.Jump(JEQ, 1, x, y))), b.Load(0, b.Jump(JEQ, 1, x, y))},
		"and and":        {b.And(6, b.And(3, b.Jump(JEQ, 1, x, y))), b.And(2, b.Jump(JEQ, 1, x, y))},
		"empty switch":   {b.Switch(nil, x), x},
		"flat switch":    {b.Switch([]Case{{0, 5, x}, {6, 9, x}}, x), x},
	}
	for name, n := range same {
		if n[0] != n[1] {
			t.Errorf("%s: two nodes", name)
		}
	}
	if x == y {
		t.Error("different rets are one node")
	}
}

func TestBugsPanic(t *testing.T) {
	for name, f := range map[string]func(b *Builder, n Node){
		"overlap":      func(b *Builder, n Node) { b.Switch([]Case{{5, 9, n}, {1, 5, n}}, n) },
		"overlap last": func(b *Builder, n Node) { b.Switch([]Case{{5, ^uint32(0), n}, {7, 7, n}}, n) },
		"empty case":   func(b *Builder, n Node) { b.Switch([]Case{{5, 4, n}}, n) },
		"unaligned":    func(b *Builder, n Node) { b.Load(2, n) },
		"foreign node": func(b *Builder, n Node) { b.Load(0, n+100) },
		"no such jump": func(b *Builder, n Node) { b.Jump(0x50, 1, n, b.Ret(7)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "BUG(cbpf): ") {
					t.Errorf("recovered %q", s)
				}
			}()
			var b Builder
			f(&b, b.Ret(1))
		})
	}
}

func randomCases(r *rand.Rand, b *Builder, n int) []Case {
	var cuts []uint32
	for range n {
		v := pick(r, r.Uint32(), uint32(r.IntN(3*n)), ^uint32(r.IntN(3*n)), 0, ^uint32(0))
		cuts = append(cuts, v)
		if r.IntN(2) == 0 {
			cuts = append(cuts, v+1)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var cases []Case
	for i, first := range cuts {
		last := first
		if i+1 < len(cuts) && r.IntN(3) == 0 {
			last = cuts[i+1] - 1
		}
		if r.IntN(5) > 0 {
			cases = append(cases, Case{first, last, b.Ret(uint32(1 + r.IntN(3)))})
		}
	}
	r.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
	return cases
}

func TestSwitchAgainstLookup(t *testing.T) {
	r := newRand(t)
	for round := range 1500 {
		var b Builder
		cases := randomCases(r, &b, 1+r.IntN(1+round/20))
		root := b.Load(0, b.Switch(cases, b.Ret(0)))
		p := mustAssemble(t, &b, root)
		values := []uint32{0, ^uint32(0), r.Uint32()}
		for _, c := range cases {
			values = append(values, c.First-1, c.First, c.First+1, c.Last-1, c.Last, c.Last+1)
		}
		for _, v := range values {
			want := uint32(0)
			for _, c := range cases {
				if c.First <= v && v <= c.Last {
					want = b.nodes[c.Node].k
				}
			}
			got, executed, err := p.Run(Data{Nr: int32(v)})
			if err != nil || got != want {
				t.Fatalf("round %d, cases %v, value %#x: got %d, want %d, %v\n%s", round, cases, v, got, want, err, p)
			}
			if depth := 4 + maxChain + 7*bits.Len(uint(2*len(cases)))/4; executed > depth { // 1/log2(3/2) < 7/4
				t.Fatalf("round %d: %d cases, but %d instructions executed, more than %d\n%s", round, len(cases), executed, depth, p)
			}
		}
	}
}

// TestSwitchSize: tests are what a switch costs; the rets and the load are 3.
func TestSwitchSize(t *testing.T) {
	singles := func(n int) (v []uint32) {
		for i := range n {
			v = append(v, uint32(10*i))
		}
		return v
	}
	for _, c := range []struct {
		values []uint32
		want   int
	}{
		{[]uint32{7}, 1},
		{[]uint32{0}, 1},
		{[]uint32{7, 8, 9}, 2}, // merged
		{[]uint32{7, 9}, 2},
		{singles(3), 3},
		{singles(9), 12},
		{singles(300), 427},
	} {
		var b Builder
		yes, no := b.Ret(1), b.Ret(0)
		var cases []Case
		for _, v := range c.values {
			cases = append(cases, Case{v, v, yes})
		}
		p := mustAssemble(t, &b, b.Load(0, b.Switch(cases, no)))
		tests := 0
		for _, ins := range p {
			if ins.Op&7 == classJmp && ins.Op != opJa {
				tests++
			}
		}
		if tests > c.want {
			t.Errorf("%d values: %d tests, want at most %d\n%s", len(c.values), tests, c.want, p)
		}
	}
}

// randomGraph has about n nodes, nearly all of them reachable from the root
// and with targets all over the place.
func randomGraph(r *rand.Rand, b *Builder, n int) Node {
	nodes := []Node{b.Ret(1), b.Ret(2), b.Ret(3)}
	for range n {
		last := nodes[len(nodes)-1]
		other := pick(r, nodes[r.IntN(len(nodes))], nodes[r.IntN(len(nodes))], nodes[r.IntN(3)], nodes[max(0, len(nodes)-1-r.IntN(300))])
		if r.IntN(2) == 0 {
			last, other = other, last
		}
		next := pick(r, last, other, nodes[len(nodes)-1])
		var id Node
		switch r.IntN(9) {
		case 0:
			id = b.Load(uint32(4*r.IntN(dataSize/4)), next)
		case 1:
			id = b.And(r.Uint32(), next)
		case 2:
			id = b.Ret(uint32(r.IntN(50)))
		default:
			id = b.Jump(pick(r, JEQ, JGE, JGT, JSET), pick(r, 1, 2, 10, 255, r.Uint32(), r.Uint32()), last, other)
		}
		if b.nodes[id].kind == kindRet {
			id = b.Jump(JSET, r.Uint32()|1, id, nodes[len(nodes)-1])
		}
		nodes = append(nodes, id)
	}
	return b.Load(uint32(4*r.IntN(dataSize/4)), nodes[len(nodes)-1])
}

func TestAssembleAgainstWalk(t *testing.T) {
	r := newRand(t)
	longest, trampolines := 0, 0
	for round := range 150 {
		var b Builder
		root := randomGraph(r, &b, 1+r.IntN(20*(round+1)))
		p := mustAssemble(t, &b, root)
		again, _ := b.Assemble(root)
		if !slices.Equal(p, again) {
			t.Fatal("assembling twice gives two programs")
		}
		longest = max(longest, len(p))
		for _, ins := range p {
			if ins.Op == opJa {
				trampolines++
			}
		}
		for range 300 {
			d := randomData(r)
			got, _, err := p.Run(d)
			if want := b.walk(root, d, 0); err != nil || got != want {
				t.Fatalf("round %d: %+v: got %d, want %d, %v\n%s", round, d, got, want, err, p)
			}
		}
	}
	t.Logf("longest program %d, %d trampolines in all", longest, trampolines)
	if longest < 1500 || trampolines < 500 {
		t.Error("the graphs are too small to say anything")
	}
}

// TestTrampolineEdge moves the two targets of one jump across the reach of
// 255 one by one, where the trampoline of one pushes the other out of reach.
func TestTrampolineEdge(t *testing.T) {
	for far := 240; far < 270; far++ {
		for extra := range 6 {
			var b Builder
			// Two blocks that are entered with different words, the second
			// one reached over far instructions, the first over some more.
			block := func(n int, k uint32, end Node) Node {
				for i := range n {
					end = b.Jump(JEQ, k+uint32(i), b.Ret(k), end)
				}
				return end
			}
			x := block(extra+1, 1000, b.Ret(1))
			y := block(2, 2000, b.Ret(2))
			fill := block(far, 3000, b.Ret(3))
			root := b.Load(0, b.Jump(JGE, 3000, fill, b.Jump(JGE, 2000, y, x)))
			root = b.Load(16, b.Jump(JSET, 1, b.Load(0, x), b.Jump(JSET, 2, b.Load(0, y), b.Jump(JSET, 4, b.Jump(JSET, 8, y, x), root))))
			p := mustAssemble(t, &b, root)
			for arg := range uint64(16) {
				for _, nr := range []int32{0, 1000, 1001, 2000, 2001, 2002, 3000, 3100, int32(2999 + far), 5000} {
					d := Data{Nr: nr, Args: [6]uint64{arg}}
					got, _, err := p.Run(d)
					if want := b.walk(root, d, 0); err != nil || got != want {
						t.Fatalf("far %d extra %d: %+v: got %d, want %d, %v\n%s", far, extra, d, got, want, err, p)
					}
				}
			}
		}
	}
}

func TestTooLong(t *testing.T) {
	chain := func(n int) (*Builder, Node) {
		var b Builder
		root := b.Ret(1)
		for i := range n {
			root = b.Load(16, b.Jump(JEQ, uint32(i), b.Ret(0), root))
		}
		return &b, root
	}
	b, root := chain(5000)
	b2, root2 := chain(2000)
	_, err := b.Assemble(root)
	if err == nil {
		t.Fatal("10000 instructions assembled")
	}
	var n int
	if _, scan := fmt.Sscanf(err.Error(), "program needs %d instructions; the kernel takes 4096", &n); scan != nil || n < 10001 || n > 10060 {
		t.Errorf("error %q", err)
	}
	if p := mustAssemble(t, b2, root2); len(p) > 4020 {
		t.Errorf("%d instructions for 4001 nodes", len(p))
	}
}

func TestGolden(t *testing.T) {
	for name, build := range map[string]func(b *Builder) Node{
		"sockets": func(b *Builder) Node {
			allow, deny, kill := b.Ret(RetAllow), b.Ret(RetErrno(97)), b.Ret(RetKillProcess)
			protocol := b.Load(32, b.Switch([]Case{{0, 0, allow}, {6, 6, allow}, {17, 17, allow}}, deny))
			typ := b.Load(24, b.And(0xf, b.Switch([]Case{{1, 2, protocol}, {5, 5, allow}}, deny)))
			family := b.Load(16, b.Switch([]Case{{1, 1, allow}, {2, 2, typ}, {10, 10, typ}, {16, 16, allow}, {46, ^uint32(0), deny}}, deny))
			return b.Load(4, b.Jump(JEQ, 0xc000003e, b.Load(0, b.Switch([]Case{{41, 41, family}, {53, 53, family}, {425, 427, deny}}, allow)), kill))
		},
		"trampolines": func(b *Builder) Node {
			var cases []Case
			shared := b.Load(24, b.Jump(JSET, 0x800, b.Ret(RetErrno(22)), b.Ret(RetAllow)))
			for i := range uint32(200) {
				cases = append(cases, Case{3 * i, 3 * i, b.Load(16, b.Jump(JEQ, i, shared, b.Ret(RetErrno(1))))})
			}
			return b.Load(0, b.Switch(cases, b.Ret(RetAllow)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			got := mustAssemble(t, &b, build(&b)).String()
			file := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("differs from %s (-update rewrites it):\n%s", file, got)
			}
		})
	}
}

func TestString(t *testing.T) {
	var p Program
	for _, op := range opcodes {
		p = append(p, Program{{Op: op, Jt: 1, Jf: 2, K: 3}}...)
	}
	if s := p.String(); strings.Contains(s, "?") || strings.Count(s, "\n") != len(p) {
		t.Errorf("an opcode has no name:\n%s", s)
	}
	if s := (Program{{Op: 0x94}, {Op: 0x0105}}).String(); strings.Count(s, "?") != 2 {
		t.Errorf("not opcodes of seccomp:\n%s", s)
	}
}
