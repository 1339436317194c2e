// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"math/rand/v2"

	"github.com/sockade/sockade/engine"
)

// portCases are the policies about ports to hold a backend to: all sockets may be created
// under them.
func portCases(seed uint64) []Case {
	port := func(p uint16) engine.PortRange { return engine.PortRange{First: p, Last: p} }
	none, all := engine.PortSet{}, engine.PortSet{{First: 0, Last: 65535}}
	cases := []Case{
		ports("tcp", engine.Ports{ConnectTCP: engine.PortSet{port(443), {First: 8000, Last: 8100}}, BindTCP: engine.PortSet{port(0), port(8080)}}),
		ports("connect_tcp none", engine.Ports{ConnectTCP: none}),
		ports("bind_tcp edges", engine.Ports{BindTCP: engine.PortSet{port(1), port(65535)}, ConnectTCP: all}),
		ports("udp", engine.Ports{ConnectUDP: engine.PortSet{port(53), port(65535)}, BindUDP: engine.PortSet{port(0), port(5353)}}),
		ports("udp without bind", engine.Ports{ConnectUDP: engine.PortSet{{First: 1, Last: 65534}}, BindUDP: none}),
		ports("bind_udp only", engine.Ports{BindUDP: engine.PortSet{port(53)}}),
		ports("none", engine.Ports{ConnectTCP: none, BindTCP: none, ConnectUDP: none, BindUDP: none}),
	}
	r := rand.New(rand.NewPCG(seed, 1))
	for _, ranges := range []int{3, 60} {
		cases = append(cases, ports(fmt.Sprintf("tcp, %d random ranges", ranges), engine.Ports{
			ConnectTCP: randomPorts(r, ranges), BindTCP: randomPorts(r, ranges),
		}))
		cases = append(cases, ports(fmt.Sprintf("%d random ranges", ranges), engine.Ports{
			ConnectTCP: randomPorts(r, ranges), BindTCP: randomPorts(r, ranges), ConnectUDP: randomPorts(r, ranges), BindUDP: randomPorts(r, ranges),
		}))
	}
	nested := ports("connect_tcp 500-2000 in 1-1000", engine.Ports{ConnectTCP: engine.PortSet{{First: 500, Last: 2000}}})
	outer := ports("", engine.Ports{ConnectTCP: engine.PortSet{{First: 1, Last: 1000}}, BindTCP: engine.PortSet{port(0)}})
	nested.Outer = &outer.Policy
	return append(cases, nested)
}

func ports(name string, p engine.Ports) Case {
	return Case{Name: "ports: " + name, Policy: engine.Policy{All: true, Ports: p}}
}

func randomPorts(r *rand.Rand, ranges int) engine.PortSet {
	var set engine.PortSet
	for range ranges {
		first := r.Uint32N(65536)
		last := min(65535, first+r.Uint32N(1<<r.Uint32N(11)))
		set = append(set, engine.PortRange{First: uint16(first), Last: uint16(last)})
	}
	return set
}

// policies are those to enforce, in this order.
func (c Case) policies() []engine.Policy {
	if c.Outer != nil {
		return []engine.Policy{*c.Outer, c.Policy}
	}
	return []engine.Policy{c.Policy}
}

// wantPort is the verdict of the case: of what both policies allow.
func (c Case) wantPort(r engine.PortRequest) engine.Verdict {
	p := c.Policy
	if c.Outer != nil {
		p = engine.Intersect(*c.Outer, p)
	}
	return p.Ports.Decide(r)
}

// addressLen is how long an address of a family is.
var addressLen = map[int32]int{afInet: 16, afInet6: 28}

// portRequest is a call on a socket of some kind.
type portRequest struct {
	engine.PortRequest
	typ, protocol int32
	// known says that the socket is TCP or UDP, which policies are about.
	known bool
	// connected says that it is a UDP socket that was connected before the policy.
	connected bool
}

func (r portRequest) String() string {
	call := []string{engine.Bind: "bind", engine.Connect: "connect", engine.Send: "send"}[r.Call]
	text := fmt.Sprintf("%s on %v", call, engine.Request{Family: r.Family, Type: r.typ, Protocol: r.protocol})
	if r.Bound {
		text += " with a port"
	}
	if r.connected {
		text += " and connected"
	}
	if r.FastOpen {
		text += ", MSG_FASTOPEN"
	}
	if a := r.Address; a != nil {
		text += fmt.Sprintf(", to %s port %d, %d bytes, zero %v", engine.FamilyName(a.Family), a.Port, a.Len, a.Any)
	}
	return text
}

// interesting ports; those at the edges of a policy's ranges come to them.
func interestingPorts(p ...engine.Ports) []uint16 {
	out := []uint16{0, 1, 2, 22, 53, 80, 255, 256, 443, 1023, 1024, 5353, 8080, 32767, 32768, 60999, 65534, 65535}
	for _, ports := range p {
		for _, set := range []engine.PortSet{ports.ConnectTCP, ports.BindTCP, ports.ConnectUDP, ports.BindUDP} {
			for i, r := range set.Ranges() {
				if i < 8 {
					out = append(out, r.First-1, r.First, r.Last, r.Last+1)
				}
			}
		}
	}
	return out
}

// Numbers of linux/socket.h and linux/in.h.
const (
	afUnspec, afUnix, afInet, afInet6   = 0, 1, 2, 10
	sockStream, sockDgram               = 1, 2
	protoUDPLite, protoMPTCP, protoSCTP = 136, 262, 132
)

// eachPortRequest yields what can be asked about the ports: every form of address for
// every kind of socket, and for the plain forms every port (one in thin).
func eachPortRequest(ports []uint16, thin int, yield func(portRequest)) {
	kinds := []portRequest{
		{typ: sockStream, known: true},
		{typ: sockDgram, known: true, PortRequest: engine.PortRequest{UDP: true}},
		{typ: sockDgram, known: true, PortRequest: engine.PortRequest{UDP: true, Bound: true}},
		{typ: sockDgram, known: true, connected: true, PortRequest: engine.PortRequest{UDP: true, Bound: true}},
		{typ: sockStream, protocol: protoMPTCP},
		{typ: sockDgram, protocol: protoUDPLite},
		{typ: sockStream, protocol: protoSCTP},
	}
	lens := []int{1, 2, 8, 15, 16, 23, 24, 28}
	each := yield
	yield = func(r portRequest) {
		// It would change a socket that is used again.
		if r.Bound && r.Call == engine.Connect && (r.Address.Any || r.Address.Family == afUnspec) {
			return
		}
		if r.Address != nil {
			a := *r.Address
			r.Address = &a
		}
		each(r)
	}
	for _, kind := range kinds {
		for _, kind.Family = range []int32{afInet, afInet6} {
			calls := []engine.PortRequest{{Call: engine.Bind}, {Call: engine.Connect}, {Call: engine.Send}, {Call: engine.Send, FastOpen: true}}
			for _, call := range calls {
				r := kind
				r.Call, r.FastOpen = call.Call, call.FastOpen
				if r.Call == engine.Send {
					yield(r) // without an address
				}
				length := addressLen[r.Family]
				for _, port := range ports {
					for _, family := range []int32{afUnspec, afUnix, afInet, afInet6} {
						for _, zero := range []bool{true, false} {
							r.Address = &engine.Address{Family: family, Port: port, Any: zero, Len: length}
							yield(r)
						}
					}
				}
				for _, family := range []int32{afUnspec, afUnix, afInet, afInet6} {
					for _, n := range lens {
						r.Address = &engine.Address{Family: family, Port: ports[0], Any: true, Len: n}
						yield(r)
					}
				}
				if !kind.known || kind.connected || r.Call == engine.Send && !r.UDP && !r.FastOpen {
					continue
				}
				for port := 0; port < 65536; port += thin {
					r.Address = &engine.Address{Family: r.Family, Port: uint16(port), Len: length, Any: r.Call == engine.Bind}
					yield(r)
				}
			}
		}
	}
}
