// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"cmp"
	"fmt"
	"slices"
)

// Case sends the accumulator values First to Last, both included, to Node.
type Case struct {
	First, Last uint32
	Node        Node
}

// Switch sends the accumulator to the case that holds it, otherwise to
// otherwise. Cases are disjoint and in any order. The search is a balanced
// binary one; single values are told apart with JEQ, which costs one test
// where cutting a value out with two JGE would cost two.
func (b *Builder) Switch(cases []Case, otherwise Node) Node {
	b.at(otherwise)
	var short [2 * usual]Case
	return b.search(b.partition(short[:0], cases, otherwise))
}

// usual is for how many cases there is room on the stack. A program that starts
// a filtered one pays two page faults for every size that it first allocates.
const usual = 16

// partition cuts the whole range of the accumulator into cases without gaps
// in which neighbours have different nodes, and appends them to out.
func (b *Builder) partition(out, cases []Case, otherwise Node) []Case {
	var short [usual]Case
	sorted := append(short[:0], cases...)
	slices.SortFunc(sorted, func(x, y Case) int { return cmp.Compare(x.First, y.First) })
	put := func(first, last uint32, n Node) {
		if i := len(out) - 1; i >= 0 && out[i].Node == n {
			out[i].Last = last
			return
		}
		out = append(out, Case{first, last, n})
	}
	next := uint64(0) // the first value not covered yet
	for _, c := range sorted {
		b.at(c.Node)
		if c.Last < c.First {
			panic(fmt.Sprintf("BUG(cbpf): case %d to %d is empty", c.First, c.Last))
		}
		if uint64(c.First) < next {
			panic(fmt.Sprintf("BUG(cbpf): case %d to %d overlaps the one before it", c.First, c.Last))
		}
		if uint64(c.First) > next {
			put(uint32(next), c.First-1, otherwise)
		}
		put(c.First, c.Last, c.Node)
		next = uint64(c.Last) + 1
	}
	if next < 1<<32 {
		put(uint32(next), 1<<32-1, otherwise)
	}
	return out
}

// maxChain is how many tests may stand in a row at the end of the search.
// Splitting a run of single values costs a test that decides nothing by
// itself: longer chains are shorter programs that run longer.
const maxChain = 3

func (b *Builder) search(cs []Case) Node {
	var short [2][usual]int
	left := prefixTests(short[0][:0], len(cs), func(i int) Case { return cs[i] })
	total := left[len(cs)]
	if total <= maxChain {
		return b.chain(cs)
	}
	right := prefixTests(short[1][:0], len(cs), func(i int) Case { return cs[len(cs)-1-i] })

	// The cheapest of the cuts that leave at most two thirds on either side,
	// which bounds the depth; the most even one of these.
	best, bestSum, bestMax := len(cs)/2, 2*total, total
	for cut := 1; cut < len(cs); cut++ {
		l, r := left[cut], right[len(cs)-cut]
		if max(l, r) > (2*total+2)/3 {
			continue
		}
		if cmp.Or(cmp.Compare(l+r, bestSum), cmp.Compare(max(l, r), bestMax)) < 0 {
			best, bestSum, bestMax = cut, l+r, max(l, r)
		}
	}
	return b.Jump(JGE, cs[best].First, b.search(cs[best:]), b.search(cs[:best]))
}

// prefixTests appends to tests, for every m up to n, how many of them decide the
// first m cases: one per border between neighbours, except that a single value
// between two equal neighbours is one test, after which the neighbours are one.
func prefixTests(tests []int, n int, at func(i int) Case) []int {
	type run struct {
		node   Node
		single bool
	}
	var short [usual]run
	stack := short[:0]
	singles := 0
	tests = append(tests, 0)
	for i := range n {
		c := at(i)
		r := run{c.Node, c.First == c.Last}
		if len(stack) >= 2 && stack[len(stack)-1].single && stack[len(stack)-2].node == r.node {
			stack, r.single = stack[:len(stack)-2], false
			singles++
		}
		stack = append(stack, r)
		tests = append(tests, len(stack)-1+singles)
	}
	return tests
}

// chain decides cs with as few tests as prefixTests says: first the single
// values between equal neighbours, then the borders that are left.
func (b *Builder) chain(cs []Case) Node {
	var short [2*maxChain + 1]Case // no more can be decided by maxChain tests
	for i := 1; i+1 < len(cs); i++ {
		if c := cs[i]; c.First == c.Last && cs[i-1].Node == cs[i+1].Node {
			// Behind the JEQ the value itself cannot occur any more, so the
			// neighbours may be merged over it.
			merged := Case{cs[i-1].First, cs[i+1].Last, cs[i-1].Node}
			return b.Jump(JEQ, c.First, c.Node, b.chain(append(append(append(short[:0], cs[:i-1]...), merged), cs[i+2:]...)))
		}
	}
	switch n := len(cs); {
	case n == 1:
		return cs[0].Node
	case n == 2 && cs[0].First == cs[0].Last:
		return b.Jump(JEQ, cs[0].First, cs[0].Node, cs[1].Node)
	case n == 2 && cs[1].First == cs[1].Last:
		return b.Jump(JEQ, cs[1].First, cs[1].Node, cs[0].Node)
	default:
		return b.Jump(JGE, cs[n/2].First, b.chain(cs[n/2:]), b.chain(cs[:n/2]))
	}
}
