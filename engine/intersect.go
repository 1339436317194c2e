// SPDX-License-Identifier: Apache-2.0

package engine

// Intersect returns the policy that allows exactly what both allow. Its deny
// errno is that of a; of the settings for fds it has the stricter. Rules are
// compared by canonical identity, so the result may spell a socket differently
// than either; it may have more than MaxRules rules where both have thousands.
func Intersect(a, b Policy) Policy {
	out := Policy{
		All:       a.All && b.All,
		DenyErrno: a.DenyErrno,
		Ports: Ports{
			ConnectTCP: a.Ports.ConnectTCP.intersect(b.Ports.ConnectTCP),
			BindTCP:    a.Ports.BindTCP.intersect(b.Ports.BindTCP),
			ConnectUDP: a.Ports.ConnectUDP.intersect(b.Ports.ConnectUDP),
			BindUDP:    a.Ports.BindUDP.intersect(b.Ports.BindUDP),
		},
		// InheritCheck < InheritClose < InheritKeep, ReceiveAny < ReceivePolicy.
		FDs: FDs{min(a.FDs.Inherit, b.FDs.Inherit), max(a.FDs.Receive, b.FDs.Receive)},
	}
	switch {
	case out.All:
	case a.All:
		out.Rules = b.normal().Rules
	case b.All:
		out.Rules = a.normal().Rules
	default:
		out.Rules = intersectRules(a.Rules, b.Rules)
	}
	return out
}

func intersectRules(a, b []Rule) []Rule {
	families := map[int32][]Rule{}
	for _, rule := range b {
		families[rule.Family] = append(families[rule.Family], rule)
	}
	var out []Rule
	for _, rule := range a {
		for _, other := range families[rule.Family] {
			out = append(out, intersectRule(rule, other)...)
		}
	}
	return sortRules(out)
}

// intersectRule returns what both of two rules for one family allow.
func intersectRule(a, b Rule) []Rule {
	if a.Type == Any && b.Type == Any {
		switch {
		case a.Protocol == b.Protocol || b.Protocol == Any:
			return []Rule{a}
		case a.Protocol == Any:
			return []Rule{b}
		}
		// Two protocols may be spellings of one, with some of the types.
		var out []Rule
		for typ := int32(0); typ <= lastType; typ++ {
			if !isPacketAlias(a.Family, typ) {
				out = append(out, intersectRule(Rule{a.Family, typ, a.Protocol}, b)...)
			}
		}
		return out
	}
	for _, pair := range [][2]*Rule{{&a, &b}, {&b, &a}} {
		if pair[0].Type == Any {
			if pair[1].Type > lastType {
				return nil // not among what "any type" stands for
			}
			pair[0].Type = pair[1].Type
		}
	}
	aType, aProtocol := canonical(a.Family, a.Type, a.Protocol)
	bType, bProtocol := canonical(b.Family, b.Type, b.Protocol)
	switch {
	case aType != bType:
		return nil
	case aProtocol == bProtocol || bProtocol == Any:
		return []Rule{{a.Family, aType, aProtocol}}
	case aProtocol == Any:
		return []Rule{{a.Family, aType, bProtocol}}
	}
	return nil
}
