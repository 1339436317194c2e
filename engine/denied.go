// SPDX-License-Identifier: Apache-2.0

package engine

// beyondRules is a protocol that no rule can name: only "any" matches it.
const beyondRules = maxProtocol + 1

// liveProbes are requests that an unrestricted kernel grants to anyone, the
// surest first: there the deny errno cannot be the kernel's own. The last three
// depend on its configuration, and AF_PACKET on CAP_NET_RAW.
var liveProbes = []Request{
	{afUNIX, sockDgram, 0},
	{afUNIX, sockStream, 0},
	{afINET, sockDgram, 0},
	{afINET, sockStream, 0},
	{afINET6, sockDgram, 0},
	{afINET6, sockStream, 0},
	{afNetlink, sockDgram, 0},
	{afNetlink, sockRaw, 0},
	{afUNIX, sockSeqpacket, 0},
	{afNetlink, sockDgram, 16},
	{afNetlink, sockDgram, 15},
	{afNetlink, sockDgram, 4},
	{afPacket, sockDgram, 0},
	{afALG, sockSeqpacket, 0},
	{afVSOCK, sockStream, 0},
}

// Denied returns a well-formed request that the policy denies on a kernel with
// these limits, to be tried once the policy is in force; false if there is
// none. It prefers requests that the kernel would grant.
func (p Policy) Denied(l Limits) (Request, bool) {
	for _, r := range liveProbes {
		if p.denies(r, l) {
			return r, true
		}
	}
	families := []int32{afUNIX, afINET, afINET6, afNetlink}
	for family := range l.AFMax {
		families = append(families, family)
	}
	types := []int32{sockDgram, sockStream, sockRaw, sockSeqpacket}
	for typ := range min(l.SockMax, TypeMask+1) {
		types = append(types, typ)
	}
	for _, family := range families {
		for _, typ := range types {
			if isPacketAlias(family, typ) {
				continue // AF_PACKET has its own turn
			}
			// A rule that denies anything of a pair denies the second protocol.
			for _, protocol := range []int32{0, beyondRules} {
				if r := (Request{family, typ, protocol}); p.denies(r, l) {
					return r, true
				}
			}
		}
	}
	return Request{}, false
}

// denies reports whether it is the policy, and not the kernel, that denies.
func (p Policy) denies(r Request, l Limits) bool {
	switch p.Decide(r, l).Cause {
	case NoFamily, NoType, NoProto:
		return true
	}
	return false
}
