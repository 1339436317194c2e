// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"text/tabwriter"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// probed is the JSON of probe.
type probed struct {
	Kernel   string          `json:"kernel"`
	Backends []probedBackend `json:"backends"`
}

type probedBackend struct {
	Name string `json:"name"`
	engine.Support
}

func newProbe() *command {
	var asJSON bool
	c := &command{
		name: "probe", args: "[flags]",
		short: "Show which backends work here, and how that was found out",
		long: `Probe tries every backend in a task that is thrown away: what counts is what
happens, not a version number. It needs no privilege and restricts nothing.`,
		example: `  sockade probe
  sockade probe --json | jq '.backends[] | select(.available).name'`,
		run: func(s streams, _ []string) error { return probe(s, asJSON) },
	}
	c.toggle(&asJSON, "json", "print JSON")
	return c
}

func probe(s streams, asJSON bool) error {
	candidates := selector.Probe(engine.Trial)
	out := newOutput(s)
	if asJSON {
		result := probed{Kernel: kernelRelease()}
		for _, c := range candidates {
			result.Backends = append(result.Backends, probedBackend{c.Backend.Name(), c.Support})
		}
		if err := out.json(result); err != nil {
			return err
		}
		return out.flush(s)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "BACKEND\t%s\tWHY\n", out.bold("WORKS"))
	for _, c := range candidates {
		works, why := out.red("no"), c.Support.Reason
		if c.Support.Available {
			works, why = out.green("yes"), c.Support.Proof
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c.Backend.Name(), works, why)
	}
	_ = w.Flush() // into memory
	limits := limitsOf(candidates)
	fmt.Fprintf(out, "kernel %s, AF_MAX %d, SOCK_MAX %d\n", kernelRelease(), limits.AFMax, limits.SockMax)
	return out.flush(s)
}

// limitsOf returns the limits that a backend found, else the known ones.
func limitsOf(candidates []selector.Candidate) engine.Limits {
	for _, c := range candidates {
		if c.Support.Available && c.Support.Limits != (engine.Limits{}) {
			return c.Support.Limits
		}
	}
	return engine.KnownLimits
}

func kernelRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(name.Release[:])
}
