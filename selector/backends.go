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

// planHere makes a plan for this machine, of what works here by far the most times
// by asking the kernel only. keep, which may be nil, changes what the probes found.
func planHere(p engine.Policy, o Options, keep func([]Candidate) []Candidate) (plan Plan, err error) {
	for _, depth := range Depths(p) {
		candidates := Probe(depth)
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

// Depths are the probes to plan by, until one leaves no gap.
func Depths(p engine.Policy) []engine.Depth {
	if p.Ports.Restricted() {
		return []engine.Depth{engine.PortInquiry, engine.Trial}
	}
	return []engine.Depth{engine.Inquiry, engine.Trial}
}

// Probe looks at every backend and restricts nothing. An inquiry is quicker, and enough
// where it leaves no gap and what is enforced is tried at once, as all functions here do.
func Probe(d engine.Depth) []Candidate {
	backends := Backends()
	out := make([]Candidate, 0, len(backends))
	fastOpen := false
	for _, b := range backends {
		s := b.Probe(d)
		fastOpen = fastOpen || s.Has(engine.FastOpen)
		out = append(out, Candidate{b, s})
	}
	for i := range out { // what one has found another need not deny
		if s := &out[i].Support; fastOpen && s.Available && !s.Has(engine.FastOpen) {
			s.Features = append(s.Features, engine.FastOpen)
		}
	}
	return out
}
