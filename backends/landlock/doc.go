// SPDX-License-Identifier: Apache-2.0

// Package landlock enforces a policy through Landlock: socket rules where the kernel has
// them, and rules for TCP and UDP ports (Linux 6.7 and 7.2).
//
// No released kernel has socket rules, and how user space asks for them is not settled.
// Each proposal is a dialect, one file. Kernels accept what is meant for another one and
// protect nothing, so that neither a version nor a ruleset that could be made counts: a
// dialect is taken by what it does to socket(2) in a task that is gone afterwards.
//
// What it promises where there are socket rules: the reference verdict for every request
// by whatever way, io_uring and 32-bit calls included, without privilege and without a
// price for other system calls. Like any Landlock domain it keeps the task from power
// over processes outside (ptrace, pidfd_getfd, /proc/PID/mem). What it cannot do is in
// Assess and in docs/limits.md.
package landlock
