// SPDX-License-Identifier: Apache-2.0

// Package engine holds what every part of Sockade agrees on: socket policies,
// the requests they judge, and the reference verdict.
//
// It promises three things. Policy.Decide is the one definition of what a
// policy means, step by step as the kernel's socket(2) does it; a backend that
// differs from it is wrong. Everything here is pure: no system calls, no clock,
// the same input gives the same output on every GOOS. And what is parsed can be
// printed: Rule.String and Policy.TOML parse back to what they came from.
//
//	policy, err := engine.ParsePolicy("policy.toml", []byte(`allow = ["unix", "tcp"]`))
//	if err != nil {
//		return err // policy.toml:LINE:COLUMN: what, why, what to do
//	}
//	request := engine.Request{Family: 38, Type: 5} // AF_ALG, SOCK_SEQPACKET
//	verdict := policy.Decide(request, engine.KnownLimits)
//	fmt.Println(request, verdict.Errno) // alg/seqpacket/0 EACCES
package engine
