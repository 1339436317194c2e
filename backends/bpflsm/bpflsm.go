// SPDX-License-Identifier: Apache-2.0

package bpflsm

import (
	"errors"

	"github.com/sockade/sockade/engine"
)

const notBuilt = "this version of Sockade has no BPF-LSM backend yet"

type backend struct{}

// New returns the backend.
func New() engine.Backend { return backend{} }

// Name implements [engine.Backend].
func (backend) Name() string { return "bpflsm" }

// Probe implements [engine.Backend].
func (backend) Probe(engine.Depth) engine.Support { return engine.Support{Reason: notBuilt} }

// Assess implements [engine.Backend].
func (backend) Assess(engine.Policy, engine.Support) engine.Coverage {
	return engine.Coverage{Gaps: []engine.Finding{{
		ID: engine.FindingCreate, What: "the whole policy", Why: notBuilt, Fix: "use the seccomp backend",
	}}}
}

// Prepare implements [engine.Backend].
func (backend) Prepare(engine.Policy, engine.Support) (engine.Layer, error) {
	return nil, errors.New("bpflsm: " + notBuilt)
}
