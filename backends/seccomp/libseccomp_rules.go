// SPDX-License-Identifier: Apache-2.0

//go:build libseccomp && linux && cgo

package seccomp

import (
	"math/bits"
	"slices"

	"github.com/sockade/sockade/engine"
)

// A libseccomp rule has no "else" and, as a rule's action may not be the
// default one, an allow-list is written as its complement: rules that deny,
// with the default to allow. Every rule has to say on its own that none of the
// kernel's earlier steps applies, so that the rules are disjoint and no order
// among them matters. Ranges have to be cut into blocks: the ordered
// comparisons are 64 bits wide, and the caller chooses the upper 32.

// block is the words w with w & mask == value. The zero value is every word.
type block struct{ mask, value uint32 }

// denial is one rule for socket and socketpair: requests in all three blocks
// fail with errno.
type denial struct {
	family, typ, protocol block
	errno                 engine.Errno
}

const badFlags = ^uint32(engine.TypeMask | engine.TypeFlags)

// denials returns the requests that the policy denies, each in exactly one of
// the rules. The result depends on nothing but the arguments.
func denials(p engine.Policy, l engine.Limits) []denial {
	var out []denial
	add := func(families, types, protocols []block, errno engine.Errno) {
		for _, family := range families {
			for _, typ := range types {
				for _, protocol := range protocols {
					out = append(out, denial{family, typ, protocol, errno})
				}
			}
		}
	}
	every := []block{{}}
	noFlags := []block{{mask: badFlags}}
	families, types := upTo(l.AFMax), upTo(l.SockMax)

	// The steps that every request takes, in the kernel's order.
	add(every, anyOf(badFlags), every, engine.EINVAL)
	add(except(families), noFlags, every, engine.EAFNOSUPPORT)
	noType := typesOf(missing(types, bits.Len32(uint32(engine.TypeMask))))
	add(blocksOf(families), noType, every, engine.EINVAL)

	// What the policy says, where it says the same in one go.
	c := newCompiler(p, l)
	same := func(f, g, t, u int32) bool {
		a, cause := c.answer(f, t)
		b, cause2 := c.answer(g, u)
		return a.Any && b.Any || a.Any == b.Any && cause == cause2 && slices.Equal(a.List, b.List)
	}
	for _, group := range groups(families, func(f, g int32) bool {
		return !slices.ContainsFunc(types, func(t int32) bool { return !same(f, g, t, t) })
	}) {
		for _, alike := range groups(types, func(t, u int32) bool { return same(group[0], group[0], t, u) }) {
			if allowed, cause := c.answer(group[0], alike[0]); !allowed.Any {
				add(blocksOf(group), typesOf(blocksOf(alike)), except(allowed.List), p.DenyErrno.Errno(cause))
			}
		}
	}
	return out
}

// groups sorts values into those that are the same, by first member.
func groups(values []int32, same func(a, b int32) bool) [][]int32 {
	var out [][]int32
	for _, v := range values {
		if i := slices.IndexFunc(out, func(g []int32) bool { return same(g[0], v) }); i >= 0 {
			out[i] = append(out[i], v)
		} else {
			out = append(out, []int32{v})
		}
	}
	return out
}

// upTo returns 0 to n-1.
func upTo(n int32) []int32 {
	var out []int32
	for v := range n {
		out = append(out, v)
	}
	return out
}

// anyOf returns disjoint blocks that hold every word with at least one of the
// bits: by the lowest of them. libseccomp sorts by descending value, so each
// mask is part of the one before, and it keeps the word loaded and only masks
// it further: two instructions per block in place of three.
func anyOf(word uint32) []block {
	var out []block
	for rest := word; rest != 0; rest &= rest - 1 {
		low := rest & -rest
		out = append(out, block{mask: word & (low | (low - 1)), value: low})
	}
	return out
}

// except returns disjoint blocks that hold every word but the values, which
// are ascending: the words that are larger than all of them by a bit, and the
// gaps between them.
func except(values []int32) []block {
	if len(values) == 0 {
		return []block{{}}
	}
	width := bits.Len32(uint32(values[len(values)-1]))
	return append(anyOf(^uint32(0)<<width), missing(values, width)...)
}

// missing returns the largest aligned blocks of words below 1<<width that are
// none of the values, which are ascending.
func missing(values []int32, width int) []block { return gaps(values, 0, width) }

// gaps is missing for the words first to first+1<<width-1, which hold values.
func gaps(values []int32, first uint32, width int) []block {
	if len(values) == 0 {
		return []block{{mask: ^uint32(0) << width, value: first}}
	}
	if width == 0 {
		return nil
	}
	width--
	middle := first | 1<<width
	split, _ := slices.BinarySearch(values, int32(middle))
	return append(gaps(values[:split], first, width), gaps(values[split:], middle, width)...)
}

// blocksOf returns the largest aligned blocks that hold the values and nothing
// else; they are ascending.
func blocksOf(values []int32) []block {
	if len(values) == 0 {
		return nil
	}
	width := bits.Len32(uint32(values[len(values)-1]))
	var others []int32
	for v := range int32(1) << width {
		if _, found := slices.BinarySearch(values, v); !found {
			others = append(others, v)
		}
	}
	return missing(others, width)
}

// typesOf makes blocks of types into blocks of type arguments whose flags are
// in order.
func typesOf(types []block) []block {
	out := slices.Clone(types)
	for i := range out {
		out[i].mask = out[i].mask&uint32(engine.TypeMask) | badFlags
	}
	return out
}
