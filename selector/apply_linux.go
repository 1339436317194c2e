// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

// Report says what is in force.
type Report struct {
	Plan
	// Proof is the denied request that was tried; empty for a policy that
	// denies none.
	Proof string `json:"proof"`
}

// apply prepares every layer, runs check, and then enforces. Whatever can fail
// comes before the first step that cannot be taken back. On error enforced
// names the layers that are in force all the same.
func (p Plan) apply(scope engine.Scope, check func() error) (Report, error) {
	layers := make([]engine.Layer, 0, len(p.chosen))
	defer func() {
		for _, l := range layers {
			_ = l.Close()
		}
	}()
	for _, c := range p.chosen {
		l, err := c.Backend.Prepare(p.policy, c.Support)
		if err != nil {
			return Report{}, err
		}
		layers = append(layers, l)
	}
	if err := check(); err != nil {
		return Report{}, err
	}
	var inForce []string
	for i, l := range layers {
		if err := l.Enforce(scope); err != nil {
			if len(inForce) > 0 {
				return Report{}, fmt.Errorf("%w (already in force and irrevocable: %s)", err, strings.Join(inForce, ", "))
			}
			return Report{}, err
		}
		inForce = append(inForce, p.Layers[i].Backend)
	}
	if len(layers) == 0 { // best effort where no mechanism is
		return Report{Plan: p}, nil
	}
	proof, err := p.tryDenied()
	return Report{Plan: p, Proof: proof}, err
}

// tryDenied makes one request that the policy denies: a last look at whether
// what is in force is what was planned.
func (p Plan) tryDenied() (string, error) {
	limits := p.chosen[0].Support.Limits
	r, ok := p.policy.Denied(limits)
	if !ok {
		return "", nil
	}
	want := unix.Errno(p.policy.Decide(r, limits).Errno)
	if got := sys.TrySocket(r.Family, r.Type, r.Protocol); got != want {
		return "", fmt.Errorf("BUG(selector): socket %v gave %v with the policy in force; it should give %v", r, got, want)
	}
	return fmt.Sprintf("socket %v fails with %v", r, unix.ErrnoName(want)), nil
}
