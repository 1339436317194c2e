// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/sockade/sockade/engine"
)

// Rights about ports, and the type of their rules: include/uapi/linux/landlock.h.
const (
	bindTCP    = 1 << 0 // LANDLOCK_ACCESS_NET_BIND_TCP, ABI 4
	connectTCP = 1 << 1 // LANDLOCK_ACCESS_NET_CONNECT_TCP, ABI 4
	bindUDP    = 1 << 2 // LANDLOCK_ACCESS_NET_BIND_UDP, ABI 10
	connectUDP = 1 << 3 // LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP, ABI 10

	rulePort = 2 // LANDLOCK_RULE_NET_PORT

	netOffset = 8 // of handled_access_net in struct landlock_ruleset_attr
)

// rule is one call of landlock_add_rule(2).
type rule struct {
	kind int
	attr []byte
}

// ruleset is what the kernel is given. The zero value handles nothing.
type ruleset struct {
	attr  []byte // struct landlock_ruleset_attr
	rules []rule
}

func (r ruleset) empty() bool { return r.attr == nil }

// compile makes the ruleset of a policy: sockets if there is a dialect, and the rights
// about ports that the kernel has. size is that of the kernel's landlock_ruleset_attr.
func compile(p engine.Policy, d *dialect, rights uint64, size int) ruleset {
	var r ruleset
	attr := make([]byte, size)
	if d != nil && !p.All && d.handle(attr) {
		r.attr = attr
		for _, a := range p.Expand() {
			if a.Protocols.Any {
				r.rules = append(r.rules, rule{ruleSocket, d.rule(a.Family, a.Type, anyValue)})
			}
			for _, protocol := range a.Protocols.List {
				r.rules = append(r.rules, rule{ruleSocket, d.rule(a.Family, a.Type, protocol)})
			}
		}
	}
	handled, ports := compilePorts(p.Ports)
	if handled &= rights; handled == 0 {
		return r
	}
	r.attr = attr
	binary.NativeEndian.PutUint64(attr[netOffset:], handled)
	for _, port := range ports {
		if access := port.access & handled; access != 0 {
			r.rules = append(r.rules, rule{rulePort, port.withAccess(access)})
		}
	}
	return r
}

// portRule is a struct landlock_net_port_attr: u64 allowed_access, u64 port.
type portRule struct {
	access uint64
	port   uint16
}

func (p portRule) withAccess(access uint64) []byte {
	b := binary.NativeEndian.AppendUint64(make([]byte, 0, 16), access)
	return binary.NativeEndian.AppendUint64(b, uint64(p.port))
}

// restricted returns the rights that a policy restricts and the ports of each.
func restricted(p engine.Ports) map[uint64]engine.PortSet {
	sets := map[uint64]engine.PortSet{bindTCP: p.BindTCP, connectTCP: p.ConnectTCP, bindUDP: p.BindUDP, connectUDP: p.ConnectUDP}
	maps.DeleteFunc(sets, func(_ uint64, set engine.PortSet) bool { return set.All() })
	return sets
}

// compilePorts returns the rights that are handled, and a rule for each port that has
// any of them: Landlock knows no ranges.
func compilePorts(p engine.Ports) (handled uint64, rules []portRule) {
	access := map[uint16]uint64{}
	for right, set := range restricted(p) {
		handled |= right
		for _, r := range set {
			for port := int(r.First); port <= int(r.Last); port++ {
				access[uint16(port)] |= right
			}
		}
	}
	for port, a := range access {
		rules = append(rules, portRule{a, port})
	}
	slices.SortFunc(rules, func(a, b portRule) int { return int(a.port) - int(b.port) })
	return handled, rules
}
