// SPDX-License-Identifier: Apache-2.0

package bench

// Costs are what a process pays once, to restrict itself. They are of a process that
// has just started: a second time would be quicker.
type Costs struct {
	// InquireNS and ProbeNS are selector.Probe by inquiry and by trial, PlanNS is
	// selector.NewPlan, and RestrictNS selector.Restrict with all that is in it.
	InquireNS, ProbeNS, PlanNS, RestrictNS int64
	// AllocatedBytes are what Restrict takes of the heap.
	AllocatedBytes uint64
	// ResidentBytes are by how much the process is larger afterwards.
	ResidentBytes int64
}
