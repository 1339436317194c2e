// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"slices"
	"time"

	"github.com/sockade/sockade/engine"
)

// Config says what to run. The zero value of everything but Backends is useful.
type Config struct {
	// Backends are held to the reference; all must be known to [Main].
	Backends []engine.Backend
	// Cases default to [Cases] of Seed.
	Cases []Case
	// PortCases are policies about ports; they come with the default of Cases.
	PortCases []Case
	// Seed makes the random policies.
	Seed uint64
	// Thin above 1 issues only every Thin-th request, for slow machines.
	Thin int
	// Jobs is how many children run at once; the number of CPUs by default.
	Jobs int
	// Timeout bounds each child; five minutes by default.
	Timeout time.Duration
	// Progress is told after each child.
	Progress func(done, total int)
}

// Report is what a run found. Its JSON form is the output of "sockade verify --json".
type Report struct {
	Kernel string `json:"kernel"`
	Seed   uint64 `json:"seed"`
	// Reference compares the reference itself with the kernel, without any
	// sandbox, on all malformed requests.
	Reference Result   `json:"reference"`
	Backends  []Result `json:"backends"`
	// Missing are entries that this kernel has not got, with the reason.
	Missing []Missing `json:"missing"`
}

// Result is what came out for one backend.
type Result struct {
	Name     string  `json:"name"`
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"` // of all children together
	// Divergences counts requests that did not get what they should have.
	Divergences int `json:"divergences"`
	// Narrowed counts requests that did not either, by a narrowing that the
	// backend reports.
	Narrowed int           `json:"narrowed"`
	Entries  []EntryResult `json:"entries"`
	// Diverged are the first divergences of every policy.
	Diverged []Divergence `json:"diverged"`
	// Skipped are policies that the backend cannot take, with the reason.
	Skipped []Missing `json:"skipped"`
}

// EntryResult is the part of a result that went through one entry.
type EntryResult struct {
	Name        string `json:"name"`
	Requests    int    `json:"requests"`
	Divergences int    `json:"divergences"`
	Narrowed    int    `json:"narrowed"` // also those that could not be sent at all
	Exact       int    `json:"exact"`    // got what the reference says
}

// Missing is something that was not run, and why.
type Missing struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Divergence is a request that did not get what it should have.
type Divergence struct {
	Policy  string         `json:"policy"`
	Entry   string         `json:"entry"`
	Request engine.Request `json:"request"`
	Upper   uint32         `json:"upper"`
	Ports   string         `json:"ports,omitempty"` // the request in its place, if it is about a port
	Want    string         `json:"want"`
	Got     string         `json:"got"`
}

func (d Divergence) String() string {
	if d.Ports != "" {
		return fmt.Sprintf("policy %s: %s: %s: want %s, got %s", d.Policy, d.Entry, d.Ports, d.Want, d.Got)
	}
	return fmt.Sprintf("policy %s: %s %v (%d, %#x, %d; upper halves %#x): want %s, got %s",
		d.Policy, d.Entry, d.Request, d.Request.Family, d.Request.Type, d.Request.Protocol, d.Upper, d.Want, d.Got)
}

// Divergences counts over the whole report.
func (r Report) Divergences() int {
	n := r.Reference.Divergences
	for _, b := range r.Backends {
		n += b.Divergences
	}
	return n
}

// add takes in what one child found.
func (r *Result) add(child Result) {
	r.Requests += child.Requests
	r.Seconds += child.Seconds
	r.Divergences += child.Divergences
	r.Narrowed += child.Narrowed
	r.Diverged = append(r.Diverged, child.Diverged...)
	r.Entries = AddEntries(r.Entries, child.Entries)
}

// AddEntries adds up results by entry.
func AddEntries(sums, more []EntryResult) []EntryResult {
	for _, e := range more {
		i := slices.IndexFunc(sums, func(sum EntryResult) bool { return sum.Name == e.Name })
		if i < 0 {
			sums = append(sums, e)
			continue
		}
		sum := &sums[i]
		sum.Requests += e.Requests
		sum.Divergences += e.Divergences
		sum.Narrowed += e.Narrowed
		sum.Exact += e.Exact
	}
	return sums
}
