// SPDX-License-Identifier: Apache-2.0

package engine

// PortCall is what a program does with an address.
type PortCall int

// The calls that [Ports] is about.
const (
	Bind PortCall = iota
	Connect
	// Send is a message, with an address or without.
	Send
)

// Address is what counts of a struct sockaddr.
type Address struct {
	Family int32
	Port   uint16
	// Any says that the four bytes after the port, an IPv4 address, are zero.
	Any bool
	// Len is what the program says that the length is.
	Len int
}

// PortRequest is a call on a TCP or UDP socket; those of other protocols have none.
type PortRequest struct {
	Call PortCall
	UDP  bool
	// Family is that of the socket.
	Family int32
	// Bound says that the socket has a port. A UDP socket without one gets it by the
	// first Connect or Send, which counts as a Bind to port 0.
	Bound bool
	// FastOpen is MSG_FASTOPEN: a TCP connection by a message.
	FastOpen bool
	// Address is nil for a message without one.
	Address *Address
}

// Lengths of addresses that the kernel takes (linux/in.h, net/ipv6.h).
const (
	lenFamily = 2
	lenInet   = 16
	lenInet6  = 24
)

// Causes of verdicts about ports.
const (
	BadAddress Cause = "the address is malformed"
	NoPort     Cause = "no range has the port"
)

// Decide is the reference for ports, by which every backend is judged. It follows
// Landlock's hooks step by step (security/landlock/net.c in Linux 7.3), so that a
// malformed address gets the same errno from all of them.
func (p Ports) Decide(r PortRequest) Verdict {
	ok := Verdict{Allowed: true, Cause: Matched}
	connecting := r.Call == Connect
	set, bind := p.ConnectTCP, PortSet(nil)
	switch {
	case r.Call == Bind && r.UDP:
		set = p.BindUDP
	case r.Call == Bind:
		set = p.BindTCP
	case r.UDP:
		set, bind = p.ConnectUDP, p.BindUDP
	case r.Call == Send && !r.FastOpen:
		return ok
	default:
		connecting = true
	}
	if v := set.decideAddress(r, connecting); !v.Allowed {
		return v
	}
	givesUp := connecting && r.Address != nil && (r.Address.Len < lenFamily || r.Address.Family == afUNSPEC)
	if !r.Bound && !givesUp && !bind.Contains(0) {
		return Verdict{Errno: EACCES, Cause: NoPort}
	}
	return ok
}

func (s PortSet) decideAddress(r PortRequest, connecting bool) Verdict {
	ok, einval := Verdict{Allowed: true, Cause: Matched}, Verdict{Errno: EINVAL, Cause: BadAddress}
	denied := Verdict{Errno: EACCES, Cause: NoPort}
	a := r.Address
	if s.All() || a == nil {
		return ok
	}
	if a.Len < lenFamily {
		return einval
	}
	switch {
	case a.Family == afUNSPEC && connecting:
		return ok // gives up a connection
	case a.Family == afUNSPEC && r.Call == Send && r.Family == afINET6:
		return denied // by IPV6_ADDRFORM it may become an IPv4 socket
	case a.Family == afUNSPEC && r.Call == Bind && r.Family != afINET:
		if a.Len < lenInet6 {
			return einval
		}
		return Verdict{Errno: EAFNOSUPPORT, Cause: BadAddress}
	case a.Family == afUNSPEC && r.Call == Bind && a.Len >= lenInet && !a.Any:
		return Verdict{Errno: EAFNOSUPPORT, Cause: BadAddress}
	case a.Family == afUNSPEC, a.Family == afINET: // IPv4 takes the one for the other
		if a.Len < lenInet {
			return einval
		}
	case a.Family == afINET6:
		if a.Len < lenInet6 {
			return einval
		}
	default:
		return ok // and the protocol refuses it
	}
	switch {
	case a.Family != r.Family && a.Family != afUNSPEC:
		return einval
	case !s.Contains(a.Port):
		return denied
	}
	return ok
}
