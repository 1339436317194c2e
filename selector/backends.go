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

// Inquire asks the kernel about every backend. It is enough, and quicker, before
// [Plan.Exec], which tries what it enforces.
func Inquire() []Candidate { return probe(engine.Inquiry) }

func probe(d engine.Depth) []Candidate {
	backends := Backends()
	out := make([]Candidate, 0, len(backends))
	for _, b := range backends {
		out = append(out, Candidate{b, b.Probe(d)})
	}
	return out
}
