// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// choose finds out which states there are here, and makes the list of cases.
func (r *run) choose() error {
	var names []string
	for _, s := range Scenarios() {
		names = append(names, s.Name)
	}
	for _, e := range Extras() {
		names = append(names, e.Name)
	}
	if err := known("scenario", r.Scenarios, names); err != nil {
		return err
	}
	names = nil
	for _, s := range States() {
		names = append(names, s.Name)
	}
	if err := known("state", r.States, names); err != nil {
		return err
	}
	for _, s := range Scenarios() {
		if len(r.Scenarios) == 0 || slices.Contains(r.Scenarios, s.Name) {
			r.report.Scenarios = append(r.report.Scenarios, s)
		}
	}
	here := availability{worlds: map[world]error{}}
	for _, s := range States() {
		if s.Name != None && len(r.States) > 0 && !slices.Contains(r.States, s.Name) && !r.isNeeded(s.Name) {
			continue
		}
		if err := here.check(s); err != nil {
			r.report.Unavailable = append(r.report.Unavailable, Missing{State: s.Name, Reason: err.Error()})
			continue
		}
		r.report.States = append(r.report.States, s)
	}
	r.cases = map[string][]Variant{}
	for _, s := range r.report.Scenarios {
		r.cases[s.Name] = r.variants(s)
	}
	return nil
}

func known(what string, names, there []string) error {
	for _, n := range names {
		if !slices.Contains(there, n) {
			return fmt.Errorf("%s %q is unknown; there are %s", what, n, strings.Join(there, ", "))
		}
	}
	return nil
}

// isNeeded tells whether a state that is measured is compared with this one.
func (r *run) isNeeded(floor string) bool {
	return slices.ContainsFunc(r.States, func(name string) bool {
		s, _ := stateOf(name)
		return slices.Contains(s.floor[:], floor)
	})
}

// variants are the states in which a scenario is measured, with the usual number of
// rules and, for some scenarios, others.
func (r *run) variants(s Scenario) []Variant {
	var out []Variant
	sweepRules, sweepDepth := sweeps(s.Name)
	for _, state := range r.report.States {
		if isFloor(state.Name) && !r.isFloorOf(state.Name, s) || len(state.wrap) > 0 && s.rules > 1 ||
			s.Name == verdict && (r.Size != Guest || state.world == plain) {
			continue
		}
		rules, depths := []int{0}, []int{0}
		if state.restricts() {
			rules = []int{few}
			if sweepRules && !state.auto || state.ports && s.Name == tcpConnect {
				rules = RuleCounts
			}
		}
		if state.deep {
			depths = []int{1}
			if sweepDepth && !state.auto {
				depths = Depths
			}
		}
		for _, n := range rules {
			for _, depth := range depths {
				all := r.Size == Full || n == few || n == 0 || depth <= 1
				if (n == 0 || n >= s.rules || state.ports && !state.auto) && all && (state.maxDepth == 0 || depth <= state.maxDepth) {
					out = append(out, Variant{state.Name, n, depth})
				}
			}
		}
	}
	return out
}

// isFloorOf tells whether the scenario in some state is compared with that floor.
func (r *run) isFloorOf(floor string, s Scenario) bool {
	return slices.ContainsFunc(r.report.States, func(state State) bool { return state.floor[s.class] == floor })
}

// availability finds out what there is, each only once.
type availability struct {
	candidates []selector.Candidate
	worlds     map[world]error
}

func (a *availability) check(s State) error {
	if s.missing != "" {
		return errors.New(s.missing)
	}
	if len(s.wrap) > 0 {
		if _, err := exec.LookPath(s.wrap[0]); err != nil {
			return fmt.Errorf("%s is not installed", s.wrap[0])
		}
		return nil
	}
	if s.world != plain {
		return a.world(s.world)
	}
	if strings.HasPrefix(s.Name, floorLandlock) || slices.Contains(s.backends, Landlock) {
		abi, err := landlockABI()
		if err != nil {
			return err
		}
		if s.Name == floorLandlock {
			return nil
		}
		if s.ports && abi < 4 {
			return fmt.Errorf("the kernel's Landlock, ABI %d, has no rules for ports: boot Linux 6.7 or later", abi)
		}
	}
	if s.restricts() {
		return a.plan(s)
	}
	return nil
}

// world tells whether its programs can be attached here, by doing it.
func (a *availability) world(w world) error {
	err, ok := a.worlds[w]
	if !ok {
		var leave func() error
		if leave, err = w.open(); err == nil {
			err = leave()
		}
		a.worlds[w] = err
	}
	return err
}

// plan tells whether the selector has a plan for the state's policy.
func (a *availability) plan(s State) error {
	if a.candidates == nil {
		for _, b := range selector.Backends() {
			// Programs of BPF are checked by their world.
			depth := engine.Trial
			if b.Name() == BPFLSM {
				depth = engine.Inquiry
			}
			a.candidates = append(a.candidates, selector.Candidate{Backend: b, Support: b.Probe(depth)})
		}
	}
	for _, name := range s.backends {
		i := slices.IndexFunc(a.candidates, func(c selector.Candidate) bool { return c.Backend.Name() == name })
		if i >= 0 && !a.candidates[i].Support.Available {
			return errors.New(a.candidates[i].Support.Reason)
		}
	}
	plan, err := selector.NewPlan(s.policy(job{Variant: Variant{Rules: few}, Port: 1024}), a.candidates, s.options())
	if err != nil {
		return err
	}
	if s.auto && len(plan.Layers) == 1 && !s.ports {
		return fmt.Errorf("the selector takes one backend, %s: see there", plan.Layers[0].Backend)
	}
	return nil
}

// once measures what is paid once: entering a state, in a process of its own each time.
func (r *run) once(ctx context.Context) error {
	times := sizes[r.Size].once
	samples := map[string]map[string][]float64{}
	for _, w := range r.worlds() {
		if err := r.onceInWorld(ctx, w, times, samples); err != nil {
			return err
		}
	}
	for _, s := range r.report.States {
		if v := samples[s.Name]; v != nil {
			r.report.Applied = append(r.report.Applied, Applied{
				Variant{s.Name, few, 1},
				summarize(v["inquire"]), summarize(v["probe"]), summarize(v["plan"]),
				summarize(v["restrict"]), summarize(v["heap"]), summarize(v["resident"]),
			})
		}
	}
	return nil
}

func (r *run) onceInWorld(ctx context.Context, w world, times int, samples map[string]map[string][]float64) (err error) {
	var states []State
	for _, s := range r.report.States {
		// libseccomp takes a second to compile in a guest.
		if r.Size == Guest && s.Name == Libseccomp {
			continue
		}
		if s.restricts() && s.world == w && !r.missing("", Variant{s.Name, few, 1}) {
			states = append(states, s)
		}
	}
	if len(states) == 0 {
		return nil
	}
	leave, err := w.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leave()) }()
	r.tell("entering a sandbox")
	for range times {
		for _, i := range r.rnd.Perm(len(states)) {
			name := states[i].Name
			if samples[name] == nil {
				samples[name] = map[string][]float64{}
			}
			for left := range 2 {
				p, err := start(ctx, states[i], job{Kind: kindApply, Variant: Variant{name, few, 1}, CPU: r.report.CPU, Port: 1024, Left: left})
				if err != nil {
					return err
				}
				a, err := p.answer()
				if err = errors.Join(err, p.end()); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				s, c := samples[name], a.Costs
				if left == 1 {
					s["inquire"], s["probe"] = append(s["inquire"], float64(c.InquireNS)), append(s["probe"], float64(c.ProbeNS))
					s["plan"] = append(s["plan"], float64(c.PlanNS))
					continue
				}
				s["restrict"] = append(s["restrict"], float64(c.RestrictNS))
				s["heap"], s["resident"] = append(s["heap"], float64(c.AllocatedBytes)), append(s["resident"], float64(c.ResidentBytes))
			}
		}
	}
	return nil
}
