// SPDX-License-Identifier: Apache-2.0

package sys

// Int80 makes an i386 system call from a 64-bit process, with all 64 bits of
// the registers as given, and returns what is in eax: -errno on failure. On a
// kernel without IA32 emulation it raises SIGSEGV: try it in a child first.
// Pointers have to be below 4 GiB, see [LowMemory].
//
//go:noescape
func Int80(nr, bx, cx, dx, si, di, bp uintptr) (ret int32)
