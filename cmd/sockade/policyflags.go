// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/sockade/sockade/engine"
)

// policyFlags are the flags that make a policy: a file, and what is added to
// it or said in its place.
type policyFlags struct {
	file        string
	allow, deny []string
	errno       string
	inherit     string
}

func (f *policyFlags) register(c *command) {
	c.text(&f.file, "policy", "p", "policy `FILE` (TOML); - is standard input", completeFiles)
	c.list(&f.allow, "allow", "a", "allow `RULES`: FAMILY[/TYPE[/PROTOCOL]] or tcp, udp, mptcp, icmp,\nall, none; with commas or repeated; adds to the file", completeAllow)
	c.list(&f.deny, "deny", "d", "take `RULES`, FAMILY[/TYPE], out of what is allowed", completeDeny)
	c.text(&f.errno, "errno", "", "`WORD` for what denied sockets fail with: eacces, or\nunsupported as on a kernel without the protocol (default eacces)", completeWords("eacces", "unsupported"))
	c.text(&f.inherit, "inherit", "", "`WORD` for open sockets outside the policy: check refuses to\nstart, close, keep (default check)", completeWords("check", "close", "keep"))
}

// policy reads the file, adds the flags and resolves the whole.
func (f *policyFlags) policy(stdin io.Reader) (engine.Policy, error) {
	spec, err := f.spec(stdin)
	if err != nil {
		return engine.Policy{}, err
	}
	policy, err := spec.Policy()
	if err != nil {
		return engine.Policy{}, fmt.Errorf("policy: %w", err)
	}
	return policy, nil
}

func (f *policyFlags) spec(stdin io.Reader) (spec engine.Spec, err error) {
	if f.file != "" {
		if spec, err = readPolicy(f.file, stdin); err != nil {
			return spec, err
		}
	}
	spec.Allow = appendRules(spec.Allow, f.allow)
	spec.Deny = appendRules(spec.Deny, f.deny)
	if spec.Allow == nil {
		switch {
		case f.file != "":
			return spec, fmt.Errorf("policy %s: it has no allow list: add allow = [\"unix\"] to it, or --allow unix", f.file)
		case f.deny != nil:
			return spec, errors.New("policy: --deny takes out of what is allowed, and nothing is: add --allow all to allow the rest")
		}
		return spec, errors.New("policy: there is none: give --allow RULE or --policy FILE, for example --allow unix,tcp")
	}
	if f.errno != "" {
		if spec.DenyErrno, err = engine.ParseDenyErrno(f.errno); err != nil {
			return spec, fmt.Errorf("--errno: %w", err)
		}
	}
	if f.inherit != "" {
		if spec.FDs.Inherit, err = engine.ParseInherit(f.inherit); err != nil {
			return spec, fmt.Errorf("--inherit: %w", err)
		}
	}
	return spec, nil
}

// appendRules adds the rules of repeated, comma-separated flags. Nil stays nil
// where there is no flag: nobody said what is allowed then.
func appendRules(rules, flags []string) []string {
	for _, flag := range flags {
		rules = append(rules, engine.SplitRules(flag)...)
	}
	return rules
}
