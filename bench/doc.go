// SPDX-License-Identifier: Apache-2.0

// Package bench measures what a sandbox costs, so that one can believe the figures.
//
//	report, err := bench.Run(ctx, bench.Options{Size: bench.Quick})
//
// The way of a run: a [Scenario] is something that a program does, such as socket(2)
// and close(2). A [Variant] is a state to do it in: which backend, how many rules, how
// deep one in the other. Every variant is a child process of its own, pinned to one
// CPU, that enters its state, executes itself again and waits for orders. For each
// scenario the children take turns, in random order, each round one short sample of
// the same number of operations; what follows from the samples of one round is
// compared with one another and with nothing else. BPF programs change the whole
// machine while they are attached: they are attached for some rounds, taken away for
// others, several times in turns, which are called worlds.
//
// A figure is a median with its 95 % interval. Where the interval of a ratio includes 1
// no ratio is printed, but that no difference was seen.
//
// What a ratio is to: none is the same without any sandbox; the floor is the least that
// the mechanism can cost. For seccomp that is, for socket calls, the smallest filter that
// reads an argument, and for others one that allows all in one instruction; for BPF-LSM
// programs on the same hooks that return at once; for Landlock a domain that is about
// something else.
//
// In a guest with QEMU's -icount a nanosecond is an instruction. Nothing here knows: the
// figures are exact there, and package internal/guest/guard holds them to [Budget].
package bench
