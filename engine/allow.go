// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"strings"
)

// MaxRules is the most rules that a policy may have, and the most elements of
// an allow or deny list.
const MaxRules = 10_000

// bundle is a word for several rules.
type bundle struct {
	name  string
	rules []Rule
}

// bundles are the words that stand for rules. The families unix and netlink
// are bundles too: their rule is spelled the same.
var bundles = []bundle{
	{"tcp", []Rule{{afINET, sockStream, protoTCP}, {afINET6, sockStream, protoTCP}}},
	{"udp", []Rule{{afINET, sockDgram, protoUDP}, {afINET6, sockDgram, protoUDP}}},
	{"mptcp", []Rule{{afINET, sockStream, protoMPTCP}, {afINET6, sockStream, protoMPTCP}}},
	{"icmp", []Rule{{afINET, sockDgram, protoICMP}, {afINET6, sockDgram, protoICMPv6}}},
}

// The words that stand for a whole policy.
const (
	wordAll  = "all"
	wordNone = "none"
)

// bundleNames are the words that look like a family and are none.
func bundleNames() []named {
	names := []named{{name: wordAll}, {name: wordNone}}
	for _, b := range bundles {
		names = append(names, named{name: b.name})
	}
	return names
}

// SplitRules splits the comma-separated value of a command line flag. Empty
// elements stay, for ParseAllow to refuse.
func SplitRules(flag string) []string { return strings.Split(flag, ",") }

// ParseAllow resolves an allow and a deny list of rules and bundles into a
// policy that denies with EACCES. What deny names, whole families or
// family/type pairs, is taken out of what allow names; an empty allow list
// allows nothing.
func ParseAllow(allow, deny []string) (Policy, error) {
	if err := countRules("allow", len(allow)); err != nil {
		return Policy{}, err
	}
	if err := countRules("deny", len(deny)); err != nil {
		return Policy{}, err
	}
	var policy Policy
	for _, text := range allow {
		e, err := parseAllowed(text)
		if err != nil {
			return Policy{}, err
		}
		if e.none && len(allow) > 1 {
			return Policy{}, errors.New("none must stand alone in an allow list; leave it out, or the rest")
		}
		policy.All = policy.All || e.all
		policy.Rules = append(policy.Rules, e.rules...)
	}
	var denied []Rule
	for _, text := range deny {
		rule, err := parseDenied(text)
		if err != nil {
			return Policy{}, err
		}
		denied = append(denied, rule)
	}
	if policy.All {
		policy.Rules = nil
		if len(denied) > 0 {
			policy.All = false
			for family := range knownFamilies {
				policy.Rules = append(policy.Rules, Rule{family, Any, Any})
			}
		}
	}
	policy.Rules = sortRules(subtract(policy.Rules, denied))
	if err := countRules("the policy", len(policy.Rules)); err != nil {
		return Policy{}, err
	}
	return policy, nil
}

func countRules(what string, n int) error {
	if n > MaxRules {
		return fmt.Errorf("%s has %d rules, more than the limit of %d; name whole families or types instead", what, n, MaxRules)
	}
	return nil
}

// element is what one word of an allow list stands for.
type element struct {
	all, none bool
	rules     []Rule
}

func parseAllowed(text string) (element, error) {
	word := lower(strings.Trim(text, " "))
	switch word {
	case wordAll:
		return element{all: true}, nil
	case wordNone:
		return element{none: true}, nil
	}
	for _, b := range bundles {
		if b.name == word {
			return element{rules: b.rules}, nil
		}
	}
	rule, err := ParseRule(text)
	return element{rules: []Rule{rule}}, err
}

// parseDenied reads an element of a deny list: a family or family/type.
func parseDenied(text string) (Rule, error) {
	word := lower(strings.Trim(text, " "))
	if word == wordAll || word == wordNone {
		return Rule{}, fmt.Errorf("deny %q: deny takes out families or types; write allow = [] to deny every socket", word)
	}
	e, err := parseAllowed(text)
	if err != nil {
		return Rule{}, err
	}
	if len(e.rules) != 1 || e.rules[0].Protocol != Any {
		return Rule{}, fmt.Errorf("deny %s: a protocol cannot be denied, as others (mptcp, smc) would still reach the same network; list in allow what may be used", quote(word))
	}
	return e.rules[0], nil
}

// subtract takes families and family/type pairs out of rules. A rule for any
// type of a family that loses one is replaced by a rule for each that is left.
func subtract(rules, denied []Rule) []Rule {
	type pair struct{ family, typ int32 }
	gone := map[pair]bool{} // typ is Any for a whole family, else canonical
	loses := map[int32]bool{}
	for _, d := range denied {
		gone[pair{d.Family, canonicalType(d.Family, d.Type)}] = true
		loses[d.Family] = loses[d.Family] || d.Type <= lastType
	}
	var left []Rule
	keep := func(rule Rule) {
		if !gone[pair{rule.Family, canonicalType(rule.Family, rule.Type)}] {
			left = append(left, rule)
		}
	}
	for _, rule := range rules {
		switch {
		case gone[pair{rule.Family, Any}]:
		case rule.Type == Any && loses[rule.Family]:
			for typ := int32(0); typ <= lastType; typ++ {
				if !isPacketAlias(rule.Family, typ) {
					keep(Rule{rule.Family, typ, rule.Protocol})
				}
			}
		default:
			keep(rule)
		}
	}
	return left
}
