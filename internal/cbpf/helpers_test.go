// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/bpf"
)

// newRand prints its seed; SOCKADE_SEED repeats a run.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SOCKADE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("SOCKADE_SEED: %v", err)
		}
	}
	t.Logf("SOCKADE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomData(r *rand.Rand) Data {
	word := func() uint32 { return pick(r, 0, 1, 2, 10, 41, 255, 1<<31, ^uint32(0), r.Uint32(), r.Uint32()) }
	d := Data{Nr: int32(word()), Arch: word(), IP: r.Uint64()}
	for i := range d.Args {
		d.Args[i] = uint64(word())<<32 | uint64(word())
	}
	return d
}

// walk is what a graph means, without any assembling.
func (b *Builder) walk(id Node, d Data, a uint32) uint32 {
	switch n := b.nodes[id]; {
	case n.kind == kindRet:
		return n.k
	case n.kind == kindLoad:
		return b.walk(n.yes, d, d.word(n.k))
	case n.kind == kindAnd:
		return b.walk(n.yes, d, a&n.k)
	case n.op == JEQ && a == n.k, n.op == JGT && a > n.k, n.op == JGE && a >= n.k, n.op == JSET && a&n.k != 0:
		return b.walk(n.yes, d, a)
	default:
		return b.walk(n.no, d, a)
	}
}

func mustAssemble(t *testing.T, b *Builder, root Node) Program {
	t.Helper()
	p, err := b.Assemble(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(p); err != nil {
		t.Fatalf("assembled program: %v\n%s", err, p)
	}
	return p
}

// opcodes are all that seccomp takes.
var opcodes = func() (ops []uint16) {
	ops = []uint16{opLdImm, opLdAbs, opLdMem, opLdLen, opLdxImm, opLdxMem, opLdxLen, opSt, opStx, opNeg, opJa, opRetK, opRetA, opTax, opTxa}
	for _, op := range []uint16{aluAdd, aluSub, aluMul, aluDiv, aluOr, aluAnd, aluLsh, aluRsh, aluXor} {
		ops = append(ops, classAlu|op, classAlu|op|srcX)
	}
	for _, op := range []Op{JEQ, JGT, JGE, JSET} {
		ops = append(ops, classJmp|uint16(op), classJmp|uint16(op)|srcX)
	}
	return ops
}()

// randomProgram is nearly always one that the kernel takes.
func randomProgram(r *rand.Rand, length int) Program {
	p := make(Program, length)
	written := []uint32{}
	for pc := range p {
		left := length - pc - 1
		ins := bpf.RawInstruction{Op: opcodes[r.IntN(len(opcodes))], K: pick(r, 0, 1, 31, 255, 1<<31, ^uint32(0), r.Uint32())}
		if ins.Op&7 == 6 && r.IntN(3) > 0 { // fewer rets
			ins.Op = opLdAbs
		}
		switch {
		case left == 0:
			ins.Op = opRetA
		case ins.Op == opLdAbs:
			ins.K = uint32(r.IntN(dataSize/4) * 4)
		case ins.Op == opSt, ins.Op == opStx:
			ins.K = uint32(r.IntN(memWords))
			written = append(written, ins.K)
		case ins.Op == opLdMem, ins.Op == opLdxMem:
			if len(written) == 0 {
				ins = bpf.RawInstruction{Op: opStx, K: 3}
				written = append(written, 3)
				break
			}
			ins.K = pick(r, written...) // may be written on one path only
		case ins.Op == opJa:
			ins.K = uint32(r.IntN(min(left, 6)))
		case ins.Op&7 == classJmp:
			ins.Jt, ins.Jf = uint8(r.IntN(min(left, 6))), uint8(r.IntN(min(left, 6)))
		case ins.Op == classAlu|aluDiv:
			ins.K |= 1
		case ins.Op == classAlu|aluLsh, ins.Op == classAlu|aluRsh:
			ins.K %= 32
		}
		p[pc] = ins
	}
	return p
}

// mutate changes one field of one instruction, mostly to something close to
// what the checker draws its lines at.
func mutate(r *rand.Rand, p Program) {
	pc := r.IntN(len(p))
	ins := &p[pc]
	switch r.IntN(7) {
	case 0:
		ins.Op ^= 1 << r.IntN(9)
	case 1:
		ins.Op = uint16(r.IntN(0x120))
	case 2:
		ins.Op = opcodes[r.IntN(len(opcodes))]
	case 3:
		ins.K = pick(r, 0, 3, 4, 15, 16, 30, 31, 32, 33, 60, 61, 62, 63, 64, 0xfffff000, 0xfffff004, ^uint32(0), r.Uint32())
	case 4:
		ins.K = uint32(len(p) - pc - 3 + r.IntN(4))
	case 5:
		ins.Jt = uint8(len(p) - pc - 3 + r.IntN(4))
	case 6:
		ins.Jf = uint8(len(p) - pc - 3 + r.IntN(4))
	}
}
