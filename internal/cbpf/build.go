// SPDX-License-Identifier: Apache-2.0

package cbpf

import "fmt"

// Builder holds a decision graph. Nodes are made leaves first, so the graph
// has no cycles, and structurally equal nodes are one node, so a part that is
// used many times is emitted once. The zero value is ready to use.
type Builder struct {
	nodes []node
	index map[node]Node // looked up only; emission never ranges over it
}

// Node is a node of the one [Builder] that made it.
type Node int32

// Op is the comparison of a jump: the accumulator against a constant, unsigned.
type Op uint16

// The comparisons of classic BPF (linux/bpf_common.h).
const (
	JEQ  Op = 0x10 // A == k
	JGT  Op = 0x20 // A > k
	JGE  Op = 0x30 // A >= k
	JSET Op = 0x40 // A & k != 0
)

func (op Op) holds(a, k uint32) bool {
	switch op {
	case JEQ:
		return a == k
	case JGT:
		return a > k
	case JGE:
		return a >= k
	case JSET:
		return a&k != 0
	}
	panic(fmt.Sprintf("BUG(cbpf): no jump %#x", uint16(op)))
}

type kind uint8

const (
	kindRet kind = iota
	kindLoad
	kindAnd
	kindJump
)

// node is comparable: it is its own hash-consing key.
type node struct {
	kind    kind
	op      Op
	k       uint32
	yes, no Node // kindJump; the others have only yes, and kindRet neither
}

func (b *Builder) add(n node) Node {
	if id, ok := b.index[n]; ok {
		return id
	}
	if b.index == nil {
		b.index = make(map[node]Node, 64) // what a short policy takes
		b.nodes = make([]node, 0, 64)
	}
	id := Node(len(b.nodes))
	b.nodes = append(b.nodes, n)
	b.index[n] = id
	return id
}

func (b *Builder) at(id Node) node {
	if id < 0 || int(id) >= len(b.nodes) {
		panic(fmt.Sprintf("BUG(cbpf): node %d is not of this builder", id))
	}
	return b.nodes[id]
}

// Ret ends the program with k.
func (b *Builder) Ret(k uint32) Node { return b.add(node{kind: kindRet, k: k}) }

// Load puts the 32-bit word at offset into the accumulator.
func (b *Builder) Load(offset uint32, next Node) Node {
	if offset%4 != 0 {
		panic(fmt.Sprintf("BUG(cbpf): load at unaligned offset %d", offset))
	}
	if b.ignoresA(next) {
		return next
	}
	return b.add(node{kind: kindLoad, k: offset, yes: next})
}

// And masks the accumulator with k.
func (b *Builder) And(k uint32, next Node) Node {
	if n := b.at(next); n.kind == kindAnd {
		k, next = k&n.k, n.yes
	}
	if k == ^uint32(0) || b.ignoresA(next) {
		return next
	}
	return b.add(node{kind: kindAnd, k: k, yes: next})
}

// ignoresA says that whatever is in the accumulator is overwritten or unused.
func (b *Builder) ignoresA(id Node) bool {
	k := b.at(id).kind
	return k == kindRet || k == kindLoad
}

// Jump goes to yes when the accumulator compares to k, otherwise to no.
func (b *Builder) Jump(op Op, k uint32, yes, no Node) Node {
	b.at(yes)
	b.at(no)
	switch {
	case yes == no, op == JGE && k == 0:
		return yes
	case op == JGT && k == ^uint32(0), op == JSET && k == 0:
		return no
	}
	op.holds(0, 0) // panics on an op that is none
	return b.add(node{kind: kindJump, op: op, k: k, yes: yes, no: no})
}
