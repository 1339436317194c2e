// SPDX-License-Identifier: Apache-2.0

// Package bpflsm enforces a policy by BPF programs on the kernel's LSM hooks
// (CONFIG_BPF_LSM, Linux 5.10 and later). It takes root and costs nothing but a
// lookup at every socket(2) of others.
//
// The programs are loaded once and pinned below [Root]; that is done by the command
// sockade-bpf, since the library that it takes would slow down every start. From then
// on a process enters a sandbox by itself, with one prctl(2), that copies its policy
// into the kernel: a domain. Whatever it starts is in its domain too, and when the last
// task of a domain ends so does the domain. Domains within domains deny what any of
// them denies. Nothing in user space, root included, can change a policy or take a
// task out of its domain; root outside can unload the programs.
//
// What it promises: the reference verdict for every request by whatever way, io_uring
// and 32-bit calls included; nothing else is denied, but for power over processes
// outside (ptrace, pidfd_getfd, /proc/PID/mem), as with Landlock, and for taking the
// pins away. What it cannot do is in Assess and in docs/limits.md.
package bpflsm
