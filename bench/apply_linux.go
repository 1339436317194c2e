// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// apply tells what it took to restrict the process, or, with something left to do, what
// the steps before that took: a process does each for the first time only once.
func apply(s State, j job) error {
	c := &Costs{}
	policy := s.policy(j)
	if j.Left > 0 { // the steps one by one
		start := time.Now()
		candidates := selector.Probe(selector.Depths(policy)[0])
		c.InquireNS = int64(time.Since(start))
		start = time.Now()
		if _, err := selector.NewPlan(policy, candidates, s.options()); err != nil {
			return err
		}
		c.PlanNS = int64(time.Since(start))
		start = time.Now()
		selector.Probe(engine.Trial)
		c.ProbeNS = int64(time.Since(start))
		return json.NewEncoder(os.Stdout).Encode(answer{Costs: c})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	pages, err := resident()
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := selector.Restrict(policy, s.options()); err != nil {
		return err
	}
	c.RestrictNS = int64(time.Since(start))
	now, err := resident()
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	c.AllocatedBytes = after.TotalAlloc - before.TotalAlloc
	c.ResidentBytes = now - pages
	return json.NewEncoder(os.Stdout).Encode(answer{Costs: c})
}

// resident is how much memory the process has.
func resident() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0, fmt.Errorf("/proc/self/statm: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
