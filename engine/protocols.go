// SPDX-License-Identifier: Apache-2.0

package engine

import "fmt"

// inetProtocols are the IPPROTO_* of linux/in.h and linux/in6.h.
var inetProtocols = []named{
	{"icmp", 1},
	{"igmp", 2},
	{"ipip", 4},
	{"tcp", 6},
	{"egp", 8},
	{"pup", 12},
	{"udp", 17},
	{"idp", 22},
	{"tp", 29},
	{"dccp", 33},
	{"ipv6", 41},
	{"rsvp", 46},
	{"gre", 47},
	{"esp", 50},
	{"ah", 51},
	{"icmpv6", 58},
	{"mtp", 92},
	{"beetph", 94},
	{"encap", 98},
	{"pim", 103},
	{"comp", 108},
	{"l2tp", 115},
	{"sctp", 132},
	{"udplite", 136},
	{"mpls", 137},
	{"ethernet", 143},
	{"raw", 255},
	{"smc", 256},
	{"mptcp", 262},
}

// netlinkProtocols are the NETLINK_* of linux/netlink.h.
var netlinkProtocols = []named{
	{"route", 0},
	{"usersock", 2},
	{"firewall", 3},
	{"sock_diag", 4},
	{"nflog", 5},
	{"xfrm", 6},
	{"selinux", 7},
	{"iscsi", 8},
	{"audit", 9},
	{"fib_lookup", 10},
	{"connector", 11},
	{"netfilter", 12},
	{"ip6_fw", 13},
	{"dnrtmsg", 14},
	{"kobject_uevent", 15},
	{"generic", 16},
	{"scsitransport", 18},
	{"ecryptfs", 19},
	{"rdma", 20},
	{"crypto", 21},
	{"smc", 22},
	{"inet_diag", 4},
}

// The smaller families, each with the header that numbers its protocols.
var (
	unixProtocols   = []named{{"unix", 1}}                          // net/unix/af_unix.c: PF_UNIX
	keyProtocols    = []named{{"v2", 2}}                            // linux/pfkeyv2.h: PF_KEY_V2
	rxrpcProtocols  = []named{{"inet", 2}, {"inet6", 10}}           // net/rxrpc/af_rxrpc.c: the transport's family
	phonetProtocols = []named{{"phonet", 1}, {"pipe", 2}}           // linux/phonet.h: PN_PROTO_*, 0 is a default
	nfcProtocols    = []named{{"raw", 0}, {"llcp", 1}}              // linux/nfc.h: NFC_SOCKPROTO_*
	vsockProtocols  = []named{{"vsock", 40}}                        // net/vmw_vsock/af_vsock.c: PF_VSOCK
	kcmProtocols    = []named{{"connected", 0}}                     // linux/kcm.h: KCMPROTO_*
	smcProtocols    = []named{{"smc", 0}, {"smc6", 1}}              // net/smc/smc.h: SMCPROTO_*
	pppoxProtocols  = []named{{"oe", 0}, {"ol2tp", 1}, {"pptp", 2}} // linux/if_pppox.h: PX_PROTO_*
	canProtocols    = []named{                                      // linux/can.h: CAN_*
		{"raw", 1}, {"bcm", 2}, {"tp16", 3}, {"tp20", 4}, {"mcnet", 5}, {"isotp", 6}, {"j1939", 7},
	}
	caifProtocols = []named{ // linux/caif/caif_socket.h: CAIFPROTO_*
		{"at", 0}, {"datagram", 1}, {"datagram_loop", 2}, {"util", 3}, {"rfm", 4}, {"debug", 5},
	}
	bluetoothProtocols = []named{ // net/bluetooth/bluetooth.h: BTPROTO_*
		{"l2cap", 0},
		{"hci", 1},
		{"sco", 2},
		{"rfcomm", 3},
		{"bnep", 4},
		{"cmtp", 5},
		{"hidp", 6},
		{"avdtp", 7},
		{"iso", 8},
	}
)

// protocolNames returns the table of a family, nil where there is none.
func protocolNames(family int32) []named {
	switch family {
	case afUNIX:
		return unixProtocols
	case afINET, afINET6:
		return inetProtocols
	case afKey:
		return keyProtocols
	case afNetlink:
		return netlinkProtocols
	case afPPPOX:
		return pppoxProtocols
	case afCAN:
		return canProtocols
	case afBluetooth:
		return bluetoothProtocols
	case afRXRPC:
		return rxrpcProtocols
	case afPhonet:
		return phonetProtocols
	case afCAIF:
		return caifProtocols
	case afNFC:
		return nfcProtocols
	case afVSOCK:
		return vsockProtocols
	case afKCM:
		return kcmProtocols
	case afSMC:
		return smcProtocols
	}
	return nil
}

// ProtocolName returns the name of a protocol of a family, or the number where
// there is none. Packet sockets take an ethertype in network byte order, which
// is shown in hexadecimal.
func ProtocolName(family, protocol int32) string {
	if family == afPacket {
		return fmt.Sprintf("0x%04x", uint32(protocol))
	}
	return nameOf(protocolNames(family), protocol)
}
