// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
)

// String returns the allow list on one line, as --allow takes it: "all",
// "none" or the rules with commas between.
func (p Policy) String() string { return strings.Join(p.words(), ",") }

// words returns the allow list as words that ParseAllow takes; never empty.
func (p Policy) words() []string {
	p = p.normal()
	if p.All {
		return []string{wordAll}
	}
	if len(p.Rules) == 0 {
		return []string{wordNone}
	}
	words := make([]string, len(p.Rules))
	for i, rule := range p.Rules {
		words[i] = rule.String()
	}
	return words
}

// TOML returns a policy file that parses back to an equal policy.
func (p Policy) TOML() string {
	p = p.normal()
	var b strings.Builder
	b.WriteString("allow = [")
	const onOneLine = 4
	words := p.words()
	for i, word := range words {
		switch {
		case len(words) > onOneLine:
			fmt.Fprintf(&b, "\n\t%q,", word)
		case i > 0:
			fmt.Fprintf(&b, ", %q", word)
		default:
			fmt.Fprintf(&b, "%q", word)
		}
	}
	if len(words) > onOneLine {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "]\ndeny_errno = %q\n", p.DenyErrno)
	if p.Ports.Restricted() {
		b.WriteString("\n[ports]\n")
		for _, key := range portKeys {
			if set := *key.set(&p.Ports); set != nil {
				fmt.Fprintf(&b, "%s = [%s]\n", key.name, set.toml())
			}
		}
	}
	fmt.Fprintf(&b, "\n[fds]\ninherit = %q\nreceive = %q\n", p.FDs.Inherit, p.FDs.Receive)
	return b.String()
}

// toml returns the elements of a port list: numbers, and ranges as strings.
func (s PortSet) toml() string {
	words := make([]string, len(s))
	for i, r := range s {
		words[i] = r.String()
		if r.First != r.Last {
			words[i] = fmt.Sprintf("%q", words[i])
		}
	}
	return strings.Join(words, ", ")
}

// portKeys are the keys of [ports] and what they set.
var portKeys = []struct {
	name string
	set  func(*Ports) *PortSet
}{
	{"connect_tcp", func(p *Ports) *PortSet { return &p.ConnectTCP }},
	{"bind_tcp", func(p *Ports) *PortSet { return &p.BindTCP }},
	{"connect_udp", func(p *Ports) *PortSet { return &p.ConnectUDP }},
	{"bind_udp", func(p *Ports) *PortSet { return &p.BindUDP }},
}
