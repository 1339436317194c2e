// SPDX-License-Identifier: Apache-2.0

// Package loader loads the BPF programs of the backend bpflsm and pins them. It is for
// the command sockade-bpf: the library that it takes would slow down every start of
// sockade.
//
// The directory of a version appears, by a rename, when all of its programs are attached
// and pinned; what a loader that was killed leaves behind is of no effect and is removed
// by the next one. Versions exist beside each other: domains stay with the programs that
// made them, and a version without domains is removed when another one is loaded.
package loader
