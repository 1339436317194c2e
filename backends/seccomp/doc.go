// SPDX-License-Identifier: Apache-2.0

// Package seccomp enforces a policy with a seccomp filter on the arguments of
// socket(2) and socketpair(2).
//
// It needs no privilege. The kernels in question are Linux 5.10 and later; before
// 4.8 a tracer could change a call behind the filter. It decides all entries of
// the machine: on x86-64 the native calls, x32 and i386; on arm64
// and riscv64 the native and the 32-bit calls. A call by any other table kills
// the process. Malformed requests get the kernel's errno from the filter
// itself, so a kernel that grows a family, a type or a flag stays closed.
//
// A filter sees registers and no memory. What follows from that is reported
// as narrowings (socketcall, io_uring, attaching to processes) and gaps
// (ports, received sockets); see docs/limits.md. From Linux 7.1 on io_uring has
// filters of its own, and the policy is loaded as one of these too.
//
// The way of a policy: [engine.Policy.Expand] → compile.go (pure) →
// enforce_linux.go. arch.go has the syscall tables.
package seccomp
