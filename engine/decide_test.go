// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"testing"
)

// mustAllow parses an allow list as --allow takes it.
func mustAllow(t *testing.T, allow string, deny ...string) Policy {
	t.Helper()
	policy, err := ParseAllow(SplitRules(allow), deny)
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

const okay Errno = 0 // in tables: the policy lets the request through to the kernel

func TestDecideErrnoOrder(t *testing.T) {
	garbage, badType := int32(0x100), int32(11)
	for _, test := range []struct {
		why    string
		r      Request
		l      Limits
		errno  Errno
		policy string
	}{
		{"flags come first", Request{-1, badType | garbage, -1}, KnownLimits, EINVAL, "none"},
		{"high flag bit", Request{afUNIX, -1 << 31, 0}, KnownLimits, EINVAL, "all"},
		{"type -1 is flags", Request{afUNIX, -1, 0}, KnownLimits, EINVAL, "all"},
		{"family before type", Request{46, badType, 0}, KnownLimits, EAFNOSUPPORT, "none"},
		{"negative family", Request{-1, sockStream, 0}, KnownLimits, EAFNOSUPPORT, "all"},
		{"type before policy", Request{afUNIX, badType, 0}, KnownLimits, EINVAL, "none"},
		{"type 15", Request{afUNIX, 15, 0}, KnownLimits, EINVAL, "all"},
		{"policy last", Request{afUNIX, 0, 0}, KnownLimits, EACCES, "none"},
		{"both flags pass", Request{afUNIX, sockStream | TypeFlags, 0}, KnownLimits, okay, "unix"},
		{"a denied request keeps the policy's errno with flags", Request{afINET, sockStream | SockCloexec, 0}, KnownLimits, EACCES, "unix"},
		{"5.10 has no mctp", Request{45, sockDgram, 0}, Limits{45, 11}, EAFNOSUPPORT, "mctp"},
		{"a kernel that grows a family: denied", Request{46, sockDgram, 0}, Limits{47, 11}, EACCES, "unix"},
		{"a kernel that grows a family: all allows it", Request{46, sockDgram, 0}, Limits{47, 11}, okay, "all"},
		{"a kernel that grows a type: any type does not mean it", Request{afUNIX, 11, 0}, Limits{46, 12}, EACCES, "unix"},
		{"a kernel that grows a type: its number does", Request{afUNIX, 11, 0}, Limits{46, 12}, okay, "unix/11"},
	} {
		got := mustAllow(t, test.policy).Decide(test.r, test.l)
		if got.Errno != test.errno || got.Allowed != (test.errno == okay) {
			t.Errorf("%s: %s under %s: %+v, want %v", test.why, test.r, test.policy, got, test.errno)
		}
	}
}

func TestDecideCanonical(t *testing.T) {
	allowed := func(policy string, requests ...Request) {
		t.Helper()
		for _, r := range requests {
			if !mustAllow(t, policy).Decide(r, KnownLimits).Allowed {
				t.Errorf("%s denies %s", policy, r)
			}
		}
	}
	denied := func(policy string, requests ...Request) {
		t.Helper()
		for _, r := range requests {
			if mustAllow(t, policy).Decide(r, KnownLimits).Allowed {
				t.Errorf("%s allows %s", policy, r)
			}
		}
	}
	both := []Request{{afUNIX, sockDgram, 0}, {afUNIX, sockDgram, 1}, {afUNIX, sockRaw, 0}, {afUNIX, sockRaw, 1}}
	for _, rule := range []string{"unix/raw", "unix/dgram", "unix/raw/0", "unix/dgram/1", "unix/dgram/unix"} {
		allowed(rule, both...)
		denied(rule, Request{afUNIX, sockStream, 0})
	}
	denied("unix/stream/unix", Request{afUNIX, sockStream, 2}, Request{afUNIX, sockStream, -1})

	for _, family := range []int32{afINET, afINET6} {
		name := FamilyName(family)
		for _, spelled := range []string{"0", "tcp", "6", "0x6"} {
			allowed(name+"/stream/"+spelled, Request{family, sockStream, 0}, Request{family, sockStream, 6})
			denied(name+"/stream/"+spelled, Request{family, sockStream, 262}, Request{family, sockDgram, 0}, Request{family, sockStream, 132})
		}
		allowed(name+"/dgram/udp", Request{family, sockDgram, 0}, Request{family, sockDgram, 17})
		denied(name+"/dgram/udp", Request{family, sockDgram, 136}, Request{family, sockDgram, 1}, Request{family, sockDgram, 58})
		allowed(name+"/seqpacket/sctp", Request{family, sockSeqpacket, 0}, Request{family, sockSeqpacket, 132})
		allowed(name+"/seqpacket/0", Request{family, sockSeqpacket, 132})
		denied(name+"/stream/sctp", Request{family, sockStream, 0})
		allowed(name+"/*/tcp", Request{family, sockStream, 0}, Request{family, sockRaw, 6})
		denied(name+"/*/tcp", Request{family, sockRaw, 0}, Request{family, sockDgram, 0})
		allowed(name+"/*/0", Request{family, sockStream, 6}, Request{family, sockDgram, 17}, Request{family, sockRaw, 0})
		denied(name+"/raw/0", Request{family, sockRaw, 6}, Request{family, sockRaw, -1})
	}
	// Protocols are identities of their own.
	denied("tcp", Request{afINET, sockStream, 262}, Request{43, sockStream, 0}, Request{afINET, sockStream, 256})
	denied("mptcp", Request{afINET, sockStream, 0})
	denied("icmp", Request{afINET, sockDgram, 58}, Request{afINET6, sockDgram, 1}, Request{afINET, sockRaw, 1})

	allowed("vsock/stream/0", Request{afVSOCK, sockStream, 40})
	allowed("vsock/stream/vsock", Request{afVSOCK, sockStream, 0})
	denied("vsock/stream/1", Request{afVSOCK, sockStream, 0})
	allowed("phonet/dgram/phonet", Request{afPhonet, sockDgram, 0})
	denied("phonet/dgram/phonet", Request{afPhonet, sockSeqpacket, 0}, Request{afPhonet, sockDgram, 2})
	allowed("phonet/seqpacket/pipe", Request{afPhonet, sockSeqpacket, 0})
	for _, family := range []int32{afATMPVC, afLLC, afIEEE802154, afQIPCRTR} {
		allowed(FamilyName(family)+"/dgram/7", Request{family, sockDgram, 0}, Request{family, sockDgram, 9}, Request{family, sockDgram, -1})
		denied(FamilyName(family)+"/dgram/7", Request{family, sockStream, 7})
	}
	// (AF_INET, SOCK_PACKET) is AF_PACKET; inet6 has no such alias.
	allowed("packet/packet/0x0300", Request{afINET, sockPacket, 0x300}, Request{afPacket, sockPacket, 0x300})
	denied("inet", Request{afINET, sockPacket, 0x300})
	allowed("inet6", Request{afINET6, sockPacket, 0})
	denied("packet", Request{afINET6, sockPacket, 0})
	// Only "any protocol" matches what no rule can name.
	denied("packet/raw/0x0300", Request{afPacket, sockRaw, 0x7fff0300}, Request{afPacket, sockRaw, -0x7ffffd00})
	allowed("packet/raw", Request{afPacket, sockRaw, 0x7fff0300}, Request{afPacket, sockRaw, -1}, Request{afPacket, sockRaw, 65535})
	denied("inet/stream/tcp", Request{afINET, sockStream, -1}, Request{afINET, sockStream, 65535 + 7})
}

func TestDenyErrno(t *testing.T) {
	policy := mustAllow(t, "inet/stream/tcp,netlink/raw/route,unix")
	for _, test := range []struct {
		r     Request
		errno Errno
	}{
		{Request{38, sockSeqpacket, 0}, EAFNOSUPPORT},
		{Request{afINET, sockPacket, 0}, EAFNOSUPPORT}, // it is AF_PACKET
		{Request{afINET, sockDgram, 0}, ESOCKTNOSUPPORT},
		{Request{afINET, sockStream, 132}, EPROTONOSUPPORT},
		{Request{afNetlink, sockRaw, 15}, EPROTONOSUPPORT},
		{Request{afINET, sockStream, -1}, EPROTONOSUPPORT},
	} {
		policy.DenyErrno = DenyUnsupported
		if got := policy.Decide(test.r, KnownLimits); got.Allowed || got.Errno != test.errno {
			t.Errorf("unsupported: %s: %+v, want %s", test.r, got, test.errno)
		}
		policy.DenyErrno = DenyEACCES
		if got := policy.Decide(test.r, KnownLimits); got.Allowed || got.Errno != EACCES {
			t.Errorf("eacces: %s: %+v", test.r, got)
		}
	}
}

func TestSCTPRulesName132(t *testing.T) {
	for _, rule := range []string{"inet/seqpacket/0", "inet/seqpacket/sctp", "inet/*/sctp"} {
		for _, a := range mustAllow(t, rule).Expand() {
			if a.Type == sockSeqpacket && !a.allows(132) {
				t.Errorf("%s expands without 132: peeloff on 6.12 and older is checked with it", rule)
			}
		}
	}
}

// allows is how a backend reads an expanded entry.
func (a Allowed) allows(protocol int32) bool {
	return a.Protocols.Any || slices.Contains(a.Protocols.List, protocol)
}

func TestExpandLeavesOutThePacketAlias(t *testing.T) {
	for _, a := range mustAllow(t, "inet").Expand() {
		if isPacketAlias(a.Family, a.Type) {
			t.Error("a backend that matches before the kernel's alias would let packet sockets through")
		}
	}
}

func TestDenied(t *testing.T) {
	for _, test := range []struct {
		policy, want string
	}{
		{"none", "unix/dgram/0"},
		{"unix", "inet/dgram/0"},
		{"unix,tcp", "inet/dgram/0"},
		{"unix,udp", "inet/stream/0"},
		{"unix,inet,inet6", "netlink/dgram/route"},
		{"unix,inet,inet6,netlink/dgram/route,netlink/raw/route", "netlink/dgram/generic"},
		{"unix,inet,inet6,netlink", "packet/dgram/0x0000"},
		{"unix,inet,inet6,netlink,packet,alg,vsock", "unspec/dgram/0"},
	} {
		got, ok := mustAllow(t, test.policy).Denied(KnownLimits)
		if !ok || got.String() != test.want {
			t.Errorf("%s: %s %t, want %s", test.policy, got, ok, test.want)
		}
	}
	if got, ok := mustAllow(t, "all", "mctp").Denied(Limits{45, 11}); ok {
		t.Errorf("5.10 has no mctp to deny, got %s", got)
	}
	if got, ok := mustAllow(t, "all").Denied(KnownLimits); ok {
		t.Errorf("all denies %s", got)
	}
	if got, ok := mustAllow(t, "none").Denied(Limits{}); ok {
		t.Errorf("no family, but %s", got)
	}
}
