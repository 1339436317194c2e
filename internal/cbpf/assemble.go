// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// maxSkip is how far a conditional jump reaches: jt and jf of struct
// sock_filter are 8 bits wide. A JA has 32.
const maxSkip = 255

// Assemble emits the graph below root. The same graph gives the same program.
//
// It works from the last instruction to the first, so the targets of a jump
// are known when it is emitted. A target that a jump cannot reach gets a
// trampoline right behind the jump, a JA, or for a RET simply another copy of
// it; later jumps use that trampoline as long as they reach it.
func (b *Builder) Assemble(root Node) (Program, error) {
	b.at(root)
	a := assembler{
		b: b, out: make(Program, 0, len(b.nodes)),
		home: make([]int, len(b.nodes)), near: make([]int, len(b.nodes)), weight: b.weights(),
	}
	a.emit(root)
	if n := len(a.out); n > MaxInsns {
		return nil, fmt.Errorf("program needs %d instructions; the kernel takes %d", n, MaxInsns)
	}
	slices.Reverse(a.out)
	return a.out, nil
}

// weights is the size of each node's tree, saturating: children come before
// their parents in b.nodes, so one pass does.
func (b *Builder) weights() []uint32 {
	w := make([]uint32, len(b.nodes))
	for i, n := range b.nodes {
		sum := uint64(1)
		if n.kind != kindRet {
			sum += uint64(w[n.yes])
		}
		if n.kind == kindJump {
			sum += uint64(w[n.no])
		}
		w[i] = uint32(min(sum, 1<<32-1))
	}
	return w
}

// A position counts instructions from the end of the program: the last one is
// at 1, the one emitted latest at len(out). 0 is "not emitted".
type assembler struct {
	b      *Builder
	out    Program // last instruction first
	home   []int   // by node: position of its code
	near   []int   // by node: position of its latest stand-in, at least home
	weight []uint32
}

func (a *assembler) push(op uint16, jt, jf int, k uint32) {
	a.out = append(a.out, bpf.RawInstruction{Op: op, Jt: uint8(jt), Jf: uint8(jf), K: k})
}

// skip is how many instructions the next one emitted has to jump over.
func (a *assembler) skip(position int) int { return len(a.out) - position }

func (a *assembler) emit(id Node) {
	if a.home[id] != 0 {
		return
	}
	n := a.b.nodes[id]
	switch n.kind {
	case kindRet:
		a.push(opRetK, 0, 0, n.k)
	case kindLoad, kindAnd:
		a.emit(n.yes)
		if a.skip(a.home[n.yes]) != 0 {
			a.trampoline(n.yes)
		}
		op := uint16(opLdAbs)
		if n.kind == kindAnd {
			op = classAlu | aluAnd
		}
		a.push(op, 0, 0, n.k)
	case kindJump:
		a.jump(n)
	}
	a.home[id], a.near[id] = len(a.out), len(a.out)
}

func (a *assembler) jump(n node) {
	// The branch emitted last is the one to fall through to and the other has
	// to be reached over it: the small one last makes for short jumps.
	first, last := n.yes, n.no
	if a.weight[first] < a.weight[last] {
		first, last = last, first
	}
	a.emit(first)
	a.emit(last)

	// A trampoline for one target moves the other one farther away, so look
	// again until both are in reach; after two trampolines they are.
	for {
		switch {
		case a.skip(a.near[n.yes]) > maxSkip:
			a.trampoline(n.yes)
		case a.skip(a.near[n.no]) > maxSkip:
			a.trampoline(n.no)
		default:
			a.push(classJmp|uint16(n.op), a.skip(a.near[n.yes]), a.skip(a.near[n.no]), n.k)
			return
		}
	}
}

// trampoline emits a stand-in for a node that is already there. A RET is as
// long as the JA to it and one instruction quicker.
func (a *assembler) trampoline(id Node) {
	if n := a.b.nodes[id]; n.kind == kindRet {
		a.push(opRetK, 0, 0, n.k)
	} else {
		a.push(opJa, 0, 0, uint32(a.skip(a.home[id])))
	}
	a.near[id] = len(a.out)
}
