// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/backends/landlock"
	"github.com/sockade/sockade/backends/seccomp"
	"github.com/sockade/sockade/engine"
)

// Backends returns all backends in the order in which a plan prefers them: the
// least privilege and the least effect on the rest of the host first.
func Backends() []engine.Backend {
	return []engine.Backend{landlock.New(), seccomp.New(), seccomp.NewLibseccomp(), bpflsm.New()}
}

// enforceOrder has the layer that could hinder the others last: a seccomp
// filter may deny what they need.
var enforceOrder = []string{"bpflsm", "landlock", "seccomp", "libseccomp"}

// Candidate is a backend and what its probe found on this machine.
type Candidate struct {
	Backend engine.Backend
	Support engine.Support
}

// Probe tries every backend and restricts nothing.
func Probe() []Candidate { return probe(engine.Trial) }

// Inquire asks the kernel about every backend. It is quicker, and enough where it
// leaves no gap and what is enforced is tried at once, as all functions here do.
func Inquire() []Candidate { return probe(engine.Inquiry) }

// planHere makes a plan for this machine, of what works here by far the most times
// by asking the kernel only. keep, which may be nil, changes what the probes found.
func planHere(p engine.Policy, o Options, keep func([]Candidate) []Candidate) (plan Plan, err error) {
	for _, depth := range []engine.Depth{engine.Inquiry, engine.Trial} {
		candidates := probe(depth)
		if keep != nil {
			candidates = keep(candidates)
		}
		plan, err = NewPlan(p, candidates, o)
		if err == nil && len(plan.Gaps) == 0 {
			break
		}
	}
	return plan, err
}

func probe(d engine.Depth) []Candidate {
	backends := Backends()
	out := make([]Candidate, 0, len(backends))
	for _, b := range backends {
		out = append(out, Candidate{b, b.Probe(d)})
	}
	return out
}
