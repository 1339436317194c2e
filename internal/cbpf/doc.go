// SPDX-License-Identifier: Apache-2.0

// Package cbpf builds, checks and runs classic BPF programs as the kernel's
// seccomp sees them. It makes no system call and builds on every GOOS.
//
// A program is described as a decision graph, leaves first, and assembled:
//
//	var b cbpf.Builder
//	allow, deny := b.Ret(cbpf.RetAllow), b.Ret(cbpf.RetErrno(1))
//	family := b.Load(16, b.Jump(cbpf.JEQ, 1, allow, deny)) // args[0] == AF_UNIX
//	root := b.Load(0, b.Switch([]cbpf.Case{{First: 41, Last: 41, Node: family}}, allow))
//	prog, err := b.Assemble(root)
//
// [Check] says whether the kernel would take the program, [Program.Run] what
// the kernel would answer, and [ConstantFor] whether the kernel can answer
// for a system call from its bitmap without running the program at all.
package cbpf
