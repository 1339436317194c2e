// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sockade/sockade/engine"
)

// Options say how a plan is made. The zero value is strict and automatic.
type Options struct {
	// Backends are the only ones to use, layered; empty lets the plan choose.
	// One that is unknown or not available is an error.
	Backends []string
	// BestEffort accepts gaps: what no layer enforces is left open and is
	// listed in the plan. By default a gap is an error.
	BestEffort bool
	// Exact refuses narrowings too: requests that the policy allows and a layer
	// denies.
	Exact bool
}

// Plan is what would be done on this machine. Its JSON form is the output of
// "sockade plan --json".
type Plan struct {
	Layers     []Layer          `json:"layers"`
	Gaps       []engine.Finding `json:"gaps"`
	Narrowings []engine.Finding `json:"narrowings"`
	// Unseen are ways to sockets that no layer sees and no policy speaks of.
	Unseen []engine.Finding `json:"unseen"`
	// Warnings are what the policy allows although one may take it to be denied.
	Warnings []engine.Finding `json:"warnings"`
	Rejected []Rejection      `json:"rejected"`

	policy engine.Policy
	chosen []Candidate // as Layers, in the order of enforcement
}

// Layer is one backend of a plan and the parts of the policy that it enforces.
type Layer struct {
	Backend string   `json:"backend"`
	Covers  []string `json:"covers"`
}

// Rejection says why a backend is not in a plan.
type Rejection struct {
	Backend string `json:"backend"`
	Reason  string `json:"reason"`
}

// RefusedError is a plan that would not do as the policy says.
type RefusedError struct {
	// Kind is "gap" or "narrowing".
	Kind     string
	Findings []engine.Finding
}

func (e *RefusedError) Error() string {
	verb, way := "not enforced", "best effort starts without"
	if e.Kind == "narrowing" {
		verb, way = "denied although allowed", "without exact it is accepted"
	}
	var parts []string
	for _, f := range e.Findings {
		parts = append(parts, fmt.Sprintf("%s (%s): %s", f.What, f.Why, f.Fix))
	}
	return fmt.Sprintf("%s: %s; %s", verb, strings.Join(parts, "; "), way)
}

// assessed is a candidate and what it would do with the policy.
type assessed struct {
	Candidate
	engine.Coverage
}

// NewPlan chooses among the candidates. It is pure. With a [RefusedError] the
// plan is complete too, so that it can be shown.
func NewPlan(p engine.Policy, candidates []Candidate, o Options) (Plan, error) {
	if err := p.Validate(); err != nil {
		return Plan{}, err
	}
	usable, err := usable(p, candidates, o.Backends)
	if err != nil {
		return Plan{}, err
	}
	layers := usable
	if len(o.Backends) == 0 {
		layers = choose(usable, o.Exact)
	}
	slices.SortStableFunc(layers, func(a, b assessed) int {
		return slices.Index(enforceOrder, a.Backend.Name()) - slices.Index(enforceOrder, b.Backend.Name())
	})
	merged := merge(layers)
	plan := Plan{
		Layers: []Layer{}, Gaps: nonNil(merged.Gaps), Narrowings: nonNil(merged.Narrowings), Unseen: nonNil(slices.Concat(merged.Unseen, p.Unseen())),
		Warnings: nonNil(p.Warnings()),
		Rejected: reject(candidates, usable, layers, o), policy: p,
	}
	for _, l := range layers {
		plan.Layers = append(plan.Layers, Layer{l.Backend.Name(), l.Covers})
		plan.chosen = append(plan.chosen, l.Candidate)
	}
	switch {
	case len(plan.Gaps) > 0 && !o.BestEffort:
		return plan, &RefusedError{"gap", plan.Gaps}
	case len(plan.Narrowings) > 0 && o.Exact:
		return plan, &RefusedError{"narrowing", plan.Narrowings}
	}
	return plan, nil
}

// usable returns the candidates that are available and asked for.
func usable(p engine.Policy, candidates []Candidate, names []string) ([]assessed, error) {
	var all []string
	for _, c := range candidates {
		all = append(all, c.Backend.Name())
	}
	for _, name := range names {
		i := slices.Index(all, name)
		if i < 0 {
			return nil, fmt.Errorf("backend %q is unknown; there are auto, %s", name, strings.Join(all, ", "))
		}
		if s := candidates[i].Support; !s.Available {
			return nil, fmt.Errorf("backend %s is not available: %s; use --backend auto, see sockade probe", name, s.Reason)
		}
	}
	var out []assessed
	for _, c := range candidates {
		if c.Support.Available && (len(names) == 0 || slices.Contains(names, c.Backend.Name())) {
			out = append(out, assessed{c, c.Backend.Assess(p, c.Support)})
		}
	}
	return out, nil
}

// choose returns the first backend that leaves no gap, alone or with one before it,
// else those that leave the fewest: two without privilege are better than one with it.
func choose(usable []assessed, exact bool) []assessed {
	usable = slices.DeleteFunc(slices.Clone(usable), func(a assessed) bool { return len(a.Covers) == 0 })
	var sets [][]assessed
	for i, b := range usable {
		sets = append(sets, []assessed{b})
		for _, a := range usable[:i] {
			sets = append(sets, []assessed{a, b})
		}
	}
	badness := func(set []assessed) int {
		c := merge(set)
		bad := len(c.Gaps) * 1000 // a gap is worse than any number of narrowings
		if exact {
			bad += len(c.Narrowings)
		}
		return bad
	}
	var best []assessed
	for _, set := range sets {
		if best == nil || badness(set) < badness(best) {
			best = set
		}
	}
	return best
}

// merge returns what layers do together: one is enough to close a gap or to see
// a way, and each adds its narrowings.
func merge(layers []assessed) engine.Coverage {
	if len(layers) == 0 {
		return engine.Coverage{Gaps: []engine.Finding{{
			ID: engine.FindingCreate, What: "the whole policy", Why: "no backend is available here",
			Fix: "see sockade probe for what each of them needs",
		}}}
	}
	out := layers[0].Coverage
	for _, l := range layers[1:] {
		out.Gaps = both(out.Gaps, l.Gaps)
		out.Unseen = both(out.Unseen, l.Unseen)
		for _, n := range l.Narrowings {
			if !slices.ContainsFunc(out.Narrowings, sameID(n)) {
				out.Narrowings = append(slices.Clip(out.Narrowings), n)
			}
		}
	}
	return out
}

func both(a, b []engine.Finding) []engine.Finding {
	var out []engine.Finding
	for _, f := range a {
		if slices.ContainsFunc(b, sameID(f)) {
			out = append(out, f)
		}
	}
	return out
}

func sameID(f engine.Finding) func(engine.Finding) bool {
	return func(g engine.Finding) bool { return f.ID == g.ID }
}

// reject gives the reason for every backend that is not among the layers.
func reject(candidates []Candidate, usable, layers []assessed, o Options) []Rejection {
	out := []Rejection{}
	for _, c := range candidates {
		name := c.Backend.Name()
		is := func(a assessed) bool { return a.Backend.Name() == name }
		if slices.ContainsFunc(layers, is) {
			continue
		}
		reason := "not asked for"
		if i := slices.IndexFunc(usable, is); i >= 0 {
			reason = "not needed"
			if gaps := usable[i].Gaps; len(gaps) > 0 {
				reason = "would leave a gap: " + gaps[0].What
			} else if o.Exact && len(usable[i].Narrowings) > 0 {
				reason = "would narrow the policy: " + usable[i].Narrowings[0].What
			}
		} else if !c.Support.Available {
			reason = c.Support.Reason
		}
		out = append(out, Rejection{name, reason})
	}
	return out
}

// nonNil makes an empty list print as [] in JSON.
func nonNil(f []engine.Finding) []engine.Finding {
	if f == nil {
		return []engine.Finding{}
	}
	return f
}
