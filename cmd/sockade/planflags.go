// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// planFlags are the flags that make a plan: a policy and how to enforce it.
type planFlags struct {
	policyFlags
	backends          []string
	bestEffort, exact bool
}

func (f *planFlags) register(c *command) {
	f.policyFlags.register(c)
	c.list(&f.backends, "backend", "b", "enforce by `NAMES`: landlock, seccomp, libseccomp, bpflsm;\nseveral are layers (default auto)", completeBackends)
	c.toggle(&f.bestEffort, "best-effort", "start even if a part of the policy cannot be enforced, and\nsay which")
	c.toggle(&f.exact, "exact", "refuse to start if anything that the policy allows would be\ndenied")
}

// planned is a plan and what it was made from.
type planned struct {
	policy     engine.Policy
	candidates []selector.Candidate
	selector.Plan
}

// plan makes the plan on this machine, by the quickest way if it is carried out at once.
// With a RefusedError it is complete too.
func (f *planFlags) plan(stdin io.Reader, atOnce bool) (*planned, error) {
	policy, err := f.policy(stdin)
	if err != nil {
		return nil, err
	}
	names, err := backendNames(f.backends)
	if err != nil {
		return nil, err
	}
	p := &planned{policy: policy}
	depths := []engine.Depth{engine.Trial}
	if atOnce {
		depths = selector.Depths(policy)
	}
	for _, depth := range depths {
		p.candidates = selector.Probe(depth)
		p.Plan, err = selector.NewPlan(policy, p.candidates, selector.Options{
			Backends: names, BestEffort: f.bestEffort, Exact: f.exact,
		})
		if err == nil && len(p.Gaps) == 0 {
			break
		}
	}
	return p, explainRefusal(err)
}

// backendNames resolves --backend: auto, which is the default, means no choice.
func backendNames(flags []string) ([]string, error) {
	var names []string
	for _, flag := range flags {
		names = append(names, strings.Split(flag, ",")...)
	}
	if !slices.Contains(names, "auto") {
		return names, nil
	}
	if len(names) > 1 {
		return nil, errors.New("--backend: auto chooses by itself: give it alone, or only the others")
	}
	return nil, nil
}

// explainRefusal names the flag that would accept a plan as it is.
func explainRefusal(err error) error {
	var refused *selector.RefusedError
	switch {
	case !errors.As(err, &refused):
		return err
	case refused.Kind == "gap":
		return fmt.Errorf("%w (--best-effort)", err)
	}
	return fmt.Errorf("%w (leave out --exact)", err)
}
