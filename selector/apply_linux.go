// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"fmt"
	"slices"
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
// names the layers that are in force all the same. It returns the denied request
// that was tried.
func (p *Plan) apply(scope engine.Scope, check func() error) (denial, error) {
	layers := make([]engine.Layer, 0, len(p.chosen))
	defer func() {
		for _, l := range layers {
			_ = l.Close()
		}
	}()
	for _, c := range p.chosen {
		l, err := c.Backend.Prepare(p.policy, c.Support)
		if err != nil {
			return denial{}, err
		}
		layers = append(layers, l)
	}
	if err := check(); err != nil {
		return denial{}, err
	}
	var inForce []string
	for i, l := range layers {
		if err := l.Enforce(scope); err != nil {
			if len(inForce) > 0 {
				return denial{}, fmt.Errorf("%w (already in force and irrevocable: %s)", err, strings.Join(inForce, ", "))
			}
			return denial{}, err
		}
		inForce = append(inForce, p.Layers[i].Backend)
	}
	// With best effort there may be nothing to see.
	if len(layers) == 0 || slices.ContainsFunc(p.Gaps, func(f engine.Finding) bool { return f.ID == engine.FindingCreate }) {
		return denial{}, nil
	}
	return p.tryDenied()
}

// denial is a request and the errno that it got; the zero value is none.
type denial struct {
	request engine.Request
	errno   unix.Errno
}

// String is the proof in a [Report].
func (d denial) String() string {
	if d.errno == 0 {
		return ""
	}
	return fmt.Sprintf("socket %v fails with %v", d.request, unix.ErrnoName(d.errno))
}

// tryDenied makes one request that the policy denies: a last look at whether
// what is in force is what was planned.
func (p *Plan) tryDenied() (denial, error) {
	limits := p.chosen[0].Support.Limits
	r, ok := p.policy.Denied(limits)
	if !ok {
		return denial{}, nil
	}
	policy := p.policy
	if slices.ContainsFunc(p.Gaps, func(f engine.Finding) bool { return f.ID == engine.FindingErrno }) {
		policy.DenyErrno = engine.DenyEACCES
	}
	want := unix.Errno(policy.Decide(r, limits).Errno)
	switch got := sys.TrySocket(r.Family, r.Type, r.Protocol); got {
	case want:
		return denial{r, want}, nil
	case 0:
		return denial{}, fmt.Errorf("BUG(selector): socket %v is there with the policy in force", r)
	default: // a filter outside answers before an LSM is asked
		return denial{}, fmt.Errorf("socket %v gives %w with the policy in force, and should give %w: %s", r, got, want, deniedOutside)
	}
}
