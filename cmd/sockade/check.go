// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// checked is the JSON of one verdict.
type checked struct {
	Text string `json:"request"`
	engine.Request
	Allowed bool `json:"allowed"`
	// Rule is the first one that allows the request.
	Rule string `json:"rule,omitempty"`
	// Errno is what a denied request fails with, and Cause why.
	Errno string       `json:"errno,omitempty"`
	Cause engine.Cause `json:"cause"`
}

func newCheck() *command {
	var f policyFlags
	var asJSON bool
	c := &command{
		name: "check", args: "[flags] REQUEST…", complete: completeRequests,
		short: "Show what a policy says about single sockets",
		long: `Check gives the reference verdict, which every backend is held to, for calls of
socket(2) written as FAMILY/TYPE[/PROTOCOL]: names or numbers, protocol 0 if left
out, flags after a plus sign. Numbers may be out of range, to see what malformed
calls get; put -- before one that begins with a minus sign. "Allowed" means that
the policy has nothing against it: the kernel may still refuse.

Exit status: 0 if all are allowed, 1 if one is denied, 125 on an error.`,
		example: `  sockade check --allow tcp inet/stream inet/stream/mptcp
  sockade check --allow unix unix/stream+cloexec+nonblock
  sockade check --policy server.toml --json alg/seqpacket
  sockade check --allow all -- -1/99/0`,
		run: func(s streams, args []string) error { return check(s, &f, asJSON, args) },
	}
	f.register(c)
	c.toggle(&asJSON, "json", "print JSON")
	return c
}

func check(s streams, f *policyFlags, asJSON bool, args []string) error {
	policy, err := f.policy(s.in)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return errors.New("check: no request: add one, for example inet/stream/tcp")
	}
	var requests []engine.Request
	for _, text := range args {
		r, err := parseRequest(text)
		if err != nil {
			return fmt.Errorf("request %s: %w", quote(text), err)
		}
		requests = append(requests, r)
	}
	limits := limitsOf(selector.Probe(engine.Trial))
	denied := false
	var results []checked
	for _, r := range requests {
		result := decide(policy, r, limits)
		results = append(results, result)
		denied = denied || !result.Allowed
	}
	out := newOutput(s)
	if asJSON {
		if err := out.json(results); err != nil {
			return err
		}
	} else {
		printVerdicts(out, results)
	}
	if err := out.flush(s); err != nil {
		return err
	}
	if denied {
		return &statusError{status: statusNegative}
	}
	return nil
}

func decide(policy engine.Policy, r engine.Request, limits engine.Limits) checked {
	verdict := policy.Decide(r, limits)
	result := checked{Text: r.String(), Request: r, Allowed: verdict.Allowed, Cause: verdict.Cause}
	switch {
	case !verdict.Allowed:
		result.Errno = verdict.Errno.String()
	case policy.All:
		result.Rule = "all"
	default:
		rule, _ := policy.Match(r)
		result.Rule = rule.String()
	}
	return result
}

func printVerdicts(out *output, results []checked) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range results {
		if r.Allowed {
			fmt.Fprintf(w, "%s\t%s by %s\n", r.Text, out.green("allowed"), r.Rule)
		} else {
			fmt.Fprintf(w, "%s\t%s %s: %s\n", r.Text, out.red("denied"), r.Errno, r.Cause)
		}
	}
	_ = w.Flush() // into memory
}
