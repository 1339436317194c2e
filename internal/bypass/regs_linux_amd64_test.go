// SPDX-License-Identifier: Apache-2.0

package bypass

import "golang.org/x/sys/unix"

// setCall makes a tracee that stands at the entry of a system call make another.
func setCall(r *unix.PtraceRegs, nr, a, b, c uint64) {
	r.Orig_rax, r.Rdi, r.Rsi, r.Rdx = nr, a, b, c
}

// result is what the system call of a tracee that stands at its exit returns.
func result(r *unix.PtraceRegs) int64 { return int64(r.Rax) }
