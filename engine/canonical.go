// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
)

// canonical returns the type and protocol that stand for all spellings of the
// same socket, as the create functions of the families resolve them: inet_create
// takes the type's default protocol for 0, unix_create turns SOCK_RAW into
// SOCK_DGRAM, and some families never look at the protocol. Rules and requests
// are compared by it. A protocol of Any stays Any.
func canonical(family, typ, protocol int32) (canonicalType, canonicalProtocol int32) {
	if ignoresProtocol(family) {
		return typ, Any
	}
	switch family {
	case afUNIX: // net/unix/af_unix.c: unix_create
		if typ == sockRaw {
			typ = sockDgram
		}
		if protocol == 0 {
			protocol = protoUNIX
		}
	case afINET, afINET6: // net/ipv4/af_inet.c: inetsw_array, net/sctp
		if protocol == 0 {
			switch typ {
			case sockStream:
				protocol = protoTCP
			case sockDgram:
				protocol = protoUDP
			case sockSeqpacket:
				protocol = protoSCTP
			}
		}
	case afVSOCK: // net/vmw_vsock/af_vsock.c: vsock_create
		if protocol == 0 {
			protocol = protoVSOCK
		}
	case afPhonet: // net/phonet/af_phonet.c: pn_socket_create
		if protocol == 0 {
			switch typ {
			case sockDgram:
				protocol = protoPhonet
			case sockSeqpacket:
				protocol = protoPipe
			}
		}
	}
	return typ, protocol
}

// ignoresProtocol tells the families whose create function never reads its
// protocol argument: a rule that names one means any.
func ignoresProtocol(family int32) bool {
	switch family {
	case afATMPVC, afLLC, afIEEE802154, afQIPCRTR:
		return true
	}
	return false
}

// isPacketAlias tells the one pair that the kernel replaces by AF_PACKET before
// any check looks at it (__sock_create in net/socket.c).
func isPacketAlias(family, typ int32) bool { return family == afINET && typ == sockPacket }

// canonicalType returns the type that stands for the family's spellings of it.
func canonicalType(family, typ int32) int32 {
	typ, _ = canonical(family, typ, 0)
	return typ
}

// Protocols is the set of raw protocol numbers that one family and type may have.
type Protocols struct {
	Any  bool
	List []int32 // ascending, without duplicates; empty when Any
}

// Allowed is one family and type and the protocols that a policy allows there.
type Allowed struct {
	Family, Type int32
	Protocols    Protocols
}

// Compare orders by family, then type.
func (a Allowed) Compare(b Allowed) int {
	return cmp.Or(cmp.Compare(a.Family, b.Family), cmp.Compare(a.Type, b.Type))
}

// Expand returns the policy as raw triples, for backends that compare what the
// kernel's access check sees and not canonical identities: "any type" as types
// 0 to 10, every spelling of a protocol on its own. (AF_INET, SOCK_PACKET) is
// never among them: who matches earlier must turn it into AF_PACKET first.
// Ascending; nil for a policy that allows all.
func (p Policy) Expand() []Allowed {
	if p.All {
		return nil
	}
	raw := make([]Rule, 0, 24) // few rules fit on the stack
	for _, rule := range p.Rules {
		for typ := int32(0); typ <= maxType; typ++ {
			if isPacketAlias(rule.Family, typ) {
				continue // no access check ever sees it
			}
			at := rule
			if at.Type == Any && typ <= lastType {
				at.Type = typ
			}
			ruleType, protocol := canonical(rule.Family, at.Type, at.Protocol)
			if canonicalType(rule.Family, typ) != ruleType {
				continue
			}
			raw = append(raw, Rule{rule.Family, typ, protocol})
			if _, zero := canonical(rule.Family, typ, 0); zero == protocol {
				raw = append(raw, Rule{rule.Family, typ, 0})
			}
		}
	}
	out := make([]Allowed, 0, 16)
	for _, r := range sortRules(raw) {
		if n := len(out); n == 0 || out[n-1].Family != r.Family || out[n-1].Type != r.Type {
			out = append(out, Allowed{Family: r.Family, Type: r.Type})
		}
		switch set := &out[len(out)-1].Protocols; {
		case r.Protocol == Any: // it sorts before the others
			set.Any = true
		case !set.Any:
			set.List = append(set.List, r.Protocol)
		}
	}
	return out
}
