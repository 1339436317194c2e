// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

func newPlan() *command {
	var f planFlags
	var asJSON bool
	c := &command{
		name: "plan", args: "[flags] [-- CMD]", takesCommand: true,
		short: "Show what run would do with a policy here, and why",
		long: `Plan shows which backends would enforce the policy, what they would let through
although it is denied (gaps), what they would deny although it is allowed
(narrowings), what they cannot see at all, and why each other backend is not used.
With a command it also says which of that hits the command. Nothing is restricted.

Exit status: 0 if run would start, 1 if it would refuse, 125 if there is no plan.`,
		example: `  sockade plan --allow unix,tcp
  sockade plan --policy server.toml --exact
  sockade plan --allow tcp --json | jq .narrowings
  sockade plan --allow tcp -- ./program`,
		run: func(s streams, args []string) error { return showPlan(s, &f, asJSON, args) },
	}
	f.register(c)
	c.toggle(&asJSON, "json", "print JSON")
	return c
}

func showPlan(s streams, f *planFlags, asJSON bool, args []string) error {
	plan, err := f.plan(s.in, false)
	var refused *selector.RefusedError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	note := ""
	if len(args) > 0 {
		path, err := lookPath(args[0])
		if err != nil {
			return err
		}
		note = plan.note(path)
	}
	out := newOutput(s)
	if asJSON {
		if err := out.json(plan.Plan); err != nil {
			return err
		}
	} else {
		plan.print(out)
	}
	if err := out.flush(s); err != nil {
		return err
	}
	if note != "" {
		say(s.err, note)
	}
	if refused != nil {
		return &statusError{statusNegative, err}
	}
	return nil
}

func (p *planned) print(out *output) {
	fmt.Fprintf(out, "%s %s\n", out.bold("policy:"), summary(p.policy))
	section(out, "enforced by", len(p.Layers))
	for _, l := range p.Layers {
		fmt.Fprintf(out, "  %s: %s\n", l.Backend, strings.Join(l.Covers, "; "))
	}
	findings(out, "gaps, denied by the policy and let through", p.Gaps)
	findings(out, "narrowings, allowed by the policy and denied", p.Narrowings)
	findings(out, "unseen, ways to sockets that no layer sees", p.Unseen)
	section(out, "not used", len(p.Rejected))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range p.Rejected {
		fmt.Fprintf(w, "  %s\t%s\n", r.Backend, r.Reason)
	}
	_ = w.Flush() // into memory
}

func section(out *output, title string, entries int) {
	end := ""
	if entries == 0 {
		end = " none"
	}
	fmt.Fprintf(out, "%s%s\n", out.bold(title+":"), end)
}

func findings(out *output, title string, list []engine.Finding) {
	section(out, title, len(list))
	for _, f := range list {
		fmt.Fprintf(out, "  %s\n    why: %s\n    fix: %s\n", f.What, f.Why, f.Fix)
	}
}

// manyRules is how many rules a summary shows.
const manyRules = 20

// summary is the policy on one line.
func summary(p engine.Policy) string {
	rules := strings.Split(p.String(), ",")
	if more := len(rules) - manyRules; more > 0 {
		rules = append(rules[:manyRules], fmt.Sprintf("… and %d more", more))
	}
	text := fmt.Sprintf("%s; denied: %s; open sockets: %s; received: %s",
		strings.Join(rules, ", "), p.DenyErrno, p.FDs.Inherit, p.FDs.Receive)
	if p.Ports.Restricted() {
		text += fmt.Sprintf("; connect tcp %s, udp %s; bind tcp %s, udp %s",
			p.Ports.ConnectTCP, p.Ports.ConnectUDP, p.Ports.BindTCP, p.Ports.BindUDP)
	}
	return text
}
