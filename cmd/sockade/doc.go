// SPDX-License-Identifier: Apache-2.0

// Command sockade runs programs with a socket allow-list.
//
//	sockade run --allow unix,tcp -- curl https://example.org
//
// The way of a run: the subcommand (command.go) → policy flags (policyflags.go) →
// plan flags (planflags.go) → selector.NewPlan → the program (lookpath.go,
// elf.go) → Plan.Exec.
//
// Start-up is part of every run, so only the subcommand that was asked for is
// built (command.go), and deps_test.go says what must not be linked in.
package main
