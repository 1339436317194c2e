// SPDX-License-Identifier: Apache-2.0

// Package selector takes a policy to the kernel: it probes the backends, makes
// a plan, and applies it to the calling process, to a child or across execve.
//
//	report, err := selector.Restrict(policy, selector.Options{})
//
// A plan is strict by default: where no backend enforces the whole policy
// nothing is restricted, nothing is started, and the error names what is
// missing. What is applied cannot be taken back.
//
// The order of steps: [Probe] → [NewPlan] (pure) → every layer is prepared →
// open sockets and rings are checked → every layer is enforced → one denied
// request is tried.
package selector
