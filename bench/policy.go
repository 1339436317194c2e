// SPDX-License-Identifier: Apache-2.0

package bench

import "github.com/sockade/sockade/engine"

// Numbers of the requests that scenarios make (linux/socket.h, linux/net.h).
const (
	afUnix    = 1
	afInet    = 2
	afInet6   = 10
	afNetlink = 16
	afPacket  = 17

	sockStream = 1
	sockDgram  = 2
	sockRaw    = 3

	// deniedProtocol is a protocol that AF_UNIX does not have and no rule names.
	deniedProtocol = 99
)

// policyOf returns a policy of so many rules. The first allows what the smallest
// scenarios need and the first eight what all do; the rest are protocols, as in the
// longest lists that people write, so that none can be left out or merged.
func policyOf(rules int) engine.Policy {
	p := engine.Policy{Rules: []engine.Rule{
		{Family: afUnix, Type: sockStream, Protocol: 0},
		{Family: afInet, Type: sockStream, Protocol: 6},
		{Family: afInet, Type: sockDgram, Protocol: 17},
		{Family: afNetlink, Type: sockRaw, Protocol: 0},
		{Family: afInet6, Type: sockStream, Protocol: 6},
		{Family: afInet6, Type: sockDgram, Protocol: 17},
		{Family: afInet, Type: sockDgram, Protocol: 1},
		{Family: afInet6, Type: sockDgram, Protocol: 58},
	}}
	fill := []engine.Rule{
		{Family: afInet, Type: sockRaw, Protocol: 1},
		{Family: afNetlink, Type: sockRaw, Protocol: 2},
		{Family: afInet6, Type: sockRaw, Protocol: 1},
		{Family: afPacket, Type: sockRaw, Protocol: 0x800},
	}
	for n := int32(0); len(p.Rules) < rules; n++ {
		r := fill[n%4]
		r.Protocol += n / 4 * 2 // not beside each other: a range would be one rule
		p.Rules = append(p.Rules, r)
	}
	p.Rules = p.Rules[:rules]
	return p
}

// portsOf returns a policy about ports and nothing else, of so many, the last of which
// is the one given.
func portsOf(rules int, port uint16) engine.Policy {
	set := engine.PortSet{}
	for n := range rules - 1 {
		other := uint16(1 + 2*n)
		set = append(set, engine.PortRange{First: other, Last: other})
	}
	set = append(set, engine.PortRange{First: port, Last: port})
	return engine.Policy{All: true, Ports: engine.Ports{ConnectTCP: set}}
}
