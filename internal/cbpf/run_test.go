// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"encoding/binary"
	"testing"

	"golang.org/x/net/bpf"
)

// wire is the data as x/net/bpf sees it: its words are big-endian.
func wire(d Data) []byte {
	var b []byte
	for offset := uint32(0); offset < dataSize; offset += 4 {
		b = binary.BigEndian.AppendUint32(b, d.word(offset))
	}
	return b
}

func TestWords(t *testing.T) {
	d := Data{Nr: -2, Arch: 0xc000003e, IP: 0x1122334455667788}
	for i := range d.Args {
		d.Args[i] = uint64(2*i+1)<<32 | uint64(2*i)
	}
	want := []uint32{0xfffffffe, 0xc000003e, 0x55667788, 0x11223344, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for i, w := range want {
		if got := d.word(uint32(4 * i)); got != w {
			t.Errorf("word at %d is %#x, want %#x", 4*i, got, w)
		}
	}
}

// TestRunAgainstVM takes x/net/bpf as a second opinion, where it agrees with
// the kernel: it shifts by X >= 32 to 0, takes ldx len for ld len, and has
// no neg. TestRunAgainstKernel covers these.
func TestRunAgainstVM(t *testing.T) {
	r := newRand(t)
	compared := 0
	for range 20000 {
		p := randomProgram(r, 2+r.IntN(40))
		for i := range p {
			switch p[i].Op {
			case classAlu | aluLsh | srcX, classAlu | aluRsh | srcX, opLdxLen, opNeg:
				p[i].Op = opTax
			}
		}
		if Check(p) != nil {
			continue
		}
		ins, ok := bpf.Disassemble(p)
		if !ok {
			t.Fatalf("x/net/bpf does not know an instruction\n%s", p)
		}
		vm, err := bpf.NewVM(ins)
		if err != nil {
			t.Fatalf("x/net/bpf: %v\n%s", err, p)
		}
		for range 4 {
			d := randomData(r)
			want, err := vm.Run(wire(d))
			if err != nil {
				t.Fatalf("x/net/bpf: %v\n%s", err, p)
			}
			got, executed, err := p.Run(d)
			if err != nil || got != uint32(want) || executed < 1 || executed > len(p) {
				t.Fatalf("%+v: got %#x after %d, want %#x, %v\n%s", d, got, executed, uint32(want), err, p)
			}
			compared++
		}
	}
	t.Logf("%d runs compared", compared)
	if compared < 20000 {
		t.Error("too few programs pass Check")
	}
}

func TestRunByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Program
		want uint32
	}{
		{"lsh x 33", Program{{Op: opLdImm, K: 3}, {Op: opLdxImm, K: 33}, {Op: classAlu | aluLsh | srcX}, {Op: opRetA}}, 6},
		{"rsh x 32", Program{{Op: opLdImm, K: 3}, {Op: opLdxImm, K: 32}, {Op: classAlu | aluRsh | srcX}, {Op: opRetA}}, 3},
		{"div x 0", Program{{Op: opLdImm, K: 3}, {Op: classAlu | aluDiv | srcX}, {Op: opRetK, K: 9}}, 0},
		{"neg", Program{{Op: opLdImm, K: 3}, {Op: opNeg}, {Op: opRetA}}, ^uint32(2)},
		{"len", Program{{Op: opLdLen}, {Op: opRetA}}, 64},
		{"fresh", Program{{Op: classAlu | aluAdd | srcX}, {Op: opRetA}}, 0},
	} {
		if got, _, err := c.p.Run(Data{}); err != nil || got != c.want {
			t.Errorf("%s: got %#x, want %#x, %v", c.name, got, c.want, err)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	for name, p := range map[string]Program{
		"empty":     nil,
		"no ret":    {{Op: opLdImm}},
		"opcode":    {{Op: 0x28}, {Op: opRetA}},
		"offset":    {{Op: opLdAbs, K: 64}, {Op: opRetA}},
		"jump":      {{Op: opJa, K: ^uint32(0)}, {Op: opRetA}},
		"unwritten": {{Op: opLdMem}, {Op: opRetA}},
		"cell":      {{Op: opSt, K: 16}, {Op: opRetA}},
	} {
		if got, _, err := p.Run(Data{}); err == nil {
			t.Errorf("%s: returned %#x", name, got)
		}
	}
}

func TestConstantFor(t *testing.T) {
	const arch = 0xc000003e
	var b Builder
	allow, deny := b.Ret(RetAllow), b.Ret(RetErrno(1))
	sockets := b.Load(16, b.Jump(JEQ, 1, allow, deny))
	calls := b.Switch([]Case{{41, 41, sockets}, {53, 53, sockets}, {425, 427, deny}, {1 << 30, ^uint32(0), deny}}, allow)
	p := mustAssemble(t, &b, b.Load(4, b.Jump(JEQ, arch, b.Load(0, calls), b.Ret(RetKillProcess))))
	for _, c := range []struct {
		nr       int32
		arch     uint32
		want     uint32
		constant bool
	}{
		{0, arch, RetAllow, true},
		{39, arch, RetAllow, true},
		{41, arch, 0, false},
		{53, arch, 0, false},
		{426, arch, RetErrno(1), true},
		{-1, arch, RetErrno(1), true},
		{41, 3, RetKillProcess, true},
	} {
		if got, constant := ConstantFor(p, c.nr, c.arch); got != c.want || constant != c.constant {
			t.Errorf("nr %d arch %#x: got %#x, %v", c.nr, c.arch, got, constant)
		}
	}
	// What the kernel does not emulate, however constant it is.
	for name, p := range map[string]Program{
		"ret a":    {{Op: opLdImm, K: RetAllow}, {Op: opRetA}},
		"ld imm":   {{Op: opLdImm}, {Op: opRetK, K: RetAllow}},
		"ld len":   {{Op: opLdLen}, {Op: opRetK, K: RetAllow}},
		"add":      {{Op: classAlu | aluAdd, K: 1}, {Op: opRetK, K: RetAllow}},
		"jeq x":    {{Op: classJmp | uint16(JEQ) | srcX}, {Op: opRetK, K: RetAllow}},
		"tax":      {{Op: opTax}, {Op: opRetK, K: RetAllow}},
		"ip":       {{Op: opLdAbs, K: 8}, {Op: opRetK, K: RetAllow}},
		"endless":  {{Op: opJa, K: ^uint32(0)}, {Op: opRetK, K: RetAllow}},
		"no ret":   {{Op: opLdAbs}},
		"no insns": nil,
	} {
		if _, constant := ConstantFor(p, 1, arch); constant {
			t.Errorf("%s: constant", name)
		}
	}
	if v, constant := ConstantFor(Program{{Op: opLdAbs}, {Op: classAlu | aluAnd, K: 0xff}, {Op: opJa, K: 1}, {Op: opRetK}, {Op: opRetK, K: RetAllow}}, 1, arch); v != RetAllow || !constant {
		t.Error("and, ja: not constant")
	}
}
