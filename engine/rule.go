// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rule allows one family, or one of its types, or one protocol of one type.
// Type and Protocol may be Any. It matches by canonical identity: a rule for
// inet/stream/tcp also allows socket(AF_INET, SOCK_STREAM, 0).
type Rule struct {
	Family, Type, Protocol int32
}

// String returns the rule as ParseRule takes it: inet, inet/stream,
// inet/stream/tcp, inet/*/tcp.
func (rule Rule) String() string {
	text := FamilyName(rule.Family)
	if rule.Type == Any && rule.Protocol == Any {
		return text
	}
	typ := "*"
	if rule.Type != Any {
		typ = TypeName(rule.Type)
	}
	text += "/" + typ
	if rule.Protocol != Any {
		text += "/" + ProtocolName(rule.Family, rule.Protocol)
	}
	return text
}

// String returns the request as the program passed it, flags and invalid bits
// included: inet/stream|cloexec/tcp, packet/raw|0x100/0x0300.
func (r Request) String() string {
	var b strings.Builder
	b.WriteString(FamilyName(r.Family))
	b.WriteByte('/')
	b.WriteString(TypeName(r.Type & TypeMask))
	if r.Type&SockNonblock != 0 {
		b.WriteString("|nonblock")
	}
	if r.Type&SockCloexec != 0 {
		b.WriteString("|cloexec")
	}
	if garbage := r.Type &^ (TypeMask | TypeFlags); garbage != 0 {
		fmt.Fprintf(&b, "|%#x", uint32(garbage))
	}
	b.WriteByte('/')
	b.WriteString(ProtocolName(r.Family, r.Protocol))
	return b.String()
}

// ParseRule reads FAMILY[/TYPE[/PROTOCOL]]: names in any case or numbers,
// decimal or 0x hexadecimal; "*" is any type or protocol, like leaving it out.
// Spaces around the rule are ignored. A bundle such as tcp is not a rule.
func ParseRule(text string) (Rule, error) {
	rule, err := parseRule(strings.Trim(text, " "))
	if err != nil {
		return Rule{}, fmt.Errorf("rule %s: %w", quote(text), err)
	}
	return rule, nil
}

func parseRule(text string) (Rule, error) {
	if text == "" {
		return Rule{}, errors.New("it is empty; write FAMILY, FAMILY/TYPE or FAMILY/TYPE/PROTOCOL")
	}
	if at := strings.IndexFunc(text, isControl); at >= 0 {
		return Rule{}, fmt.Errorf("control character %q; write names or numbers separated by \"/\"", text[at])
	}
	if strings.Contains(text, ",") {
		return Rule{}, errors.New("a rule has no comma; write each rule on its own")
	}
	parts := strings.Split(lower(text), "/")
	if len(parts) > 3 {
		return Rule{}, fmt.Errorf("%d parts; write FAMILY, FAMILY/TYPE or FAMILY/TYPE/PROTOCOL", len(parts))
	}
	rule := Rule{Type: Any, Protocol: Any}
	var err error
	if rule.Family, err = parseFamily(parts[0]); err != nil {
		return Rule{}, err
	}
	if len(parts) > 1 {
		if rule.Type, err = parsePart("type", parts[1], typeNames, maxType); err != nil {
			return Rule{}, err
		}
	}
	if len(parts) > 2 {
		what := FamilyName(rule.Family) + " protocol"
		if rule.Protocol, err = parsePart(what, parts[2], protocolNames(rule.Family), maxProtocol); err != nil {
			return Rule{}, err
		}
	}
	return rule, rule.validate()
}

func parseFamily(word string) (int32, error) {
	if word == "*" {
		return 0, errors.New("the family cannot be \"*\"; write all to allow every family")
	}
	if _, ok := lookup(bundleNames(), word); ok {
		return 0, fmt.Errorf("%q is a bundle of rules and not a family; write it alone in an allow list", word)
	}
	return parsePart("family", word, familyNames, maxFamily)
}

// parsePart reads one part of a rule: "*", a name of the table, or a number.
func parsePart(what, word string, table []named, last int32) (int32, error) {
	if word == "" {
		return 0, fmt.Errorf("the %s is empty; write a name or a number, or leave out the \"/\"", what)
	}
	if word == "*" {
		return Any, nil
	}
	if number, ok := lookup(table, word); ok {
		return number, nil
	}
	if number, ok := parseNumber(word); ok {
		if number < 0 || number > int64(last) {
			return 0, fmt.Errorf("%s %s is out of range; write 0 to %d", what, cut(word), last)
		}
		return int32(number), nil
	}
	if what == "family" { // one may have meant a bundle
		table = slices.Concat(table, bundleNames())
	}
	if near, ok := nearest(word, table); ok {
		return 0, fmt.Errorf("unknown %s %s; did you mean %q?", what, quote(word), near)
	}
	return 0, fmt.Errorf("unknown %s %s; write a known name or a number, 0 to %d", what, quote(word), last)
}

// parseNumber reads a decimal or 0x hexadecimal number. One that is too big
// for an int64 is as good as the biggest: out of every range.
func parseNumber(word string) (int64, bool) {
	digits, base := word, 10
	if hex, ok := strings.CutPrefix(word, "0x"); ok {
		digits, base = hex, 16
	} else {
		digits = strings.TrimPrefix(digits, "-")
	}
	if digits == "" || strings.Trim(digits, "0123456789abcdef"[:base]) != "" {
		return 0, false
	}
	number, _ := strconv.ParseInt(digits, base, 64)
	if digits != word && base == 10 {
		number = -number
	}
	return number, true
}

// validate reports what makes a rule impossible to enforce on every backend.
func (rule Rule) validate() error {
	switch {
	case rule.Family < 0 || rule.Family > maxFamily:
		return fmt.Errorf("family %d is out of range; use 0 to %d", rule.Family, maxFamily)
	case rule.Type < Any || rule.Type > maxType:
		return fmt.Errorf("type %d is out of range; use 0 to %d, or Any", rule.Type, maxType)
	case rule.Protocol < Any || rule.Protocol > maxProtocol:
		return fmt.Errorf("protocol %d is out of range; use 0 to %d, or Any", rule.Protocol, maxProtocol)
	case isPacketAlias(rule.Family, rule.Type):
		return errors.New("it can never match, the kernel turns such a request into packet/packet before any check; write packet/packet")
	}
	return nil
}

// sortRules orders rules by family, type and protocol, Any first, without
// duplicates. It works in place.
func sortRules(rules []Rule) []Rule {
	slices.SortFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Protocol, b.Protocol))
	})
	return slices.Compact(rules)
}
