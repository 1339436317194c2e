// SPDX-License-Identifier: Apache-2.0

package engine

// Flag bits and masks of the type argument (include/linux/net.h), and the
// bits that socket(2) accepts beside the type.
const (
	TypeMask     int32 = 0xf
	SockNonblock int32 = 0o4000
	SockCloexec  int32 = 0o2000000
	TypeFlags          = SockNonblock | SockCloexec
)

// Limits are the bounds of one kernel's socket(2): every family below AFMax
// and every type below SockMax reaches its access check.
type Limits struct {
	AFMax   int32 `json:"af_max"`
	SockMax int32 `json:"sock_max"`
}

// KnownLimits are those of Linux 6.1 to 7.3; 5.10 has 45 families.
var KnownLimits = Limits{AFMax: 46, SockMax: 11}

// Request is one call of socket(2) or socketpair(2), as the program passed
// it: the low 32 bits of each argument, with the flags still in Type.
type Request struct {
	Family   int32 `json:"family"`
	Type     int32 `json:"type"`
	Protocol int32 `json:"protocol"`
}

// Triple returns what the kernel checks: the family, type and protocol after
// the flags are off and (AF_INET, SOCK_PACKET) has become AF_PACKET
// (__sock_create in net/socket.c). The family and the type may be out of range.
func (r Request) Triple() (family, typ, protocol int32) {
	family, typ = r.Family, r.Type&TypeMask
	if isPacketAlias(family, typ) {
		family = afPacket
	}
	return family, typ, r.Protocol
}

// Cause says why a verdict is as it is.
type Cause string

// The causes, in the order in which the kernel gets to them.
const (
	BadFlags  Cause = "type has flags other than SOCK_NONBLOCK and SOCK_CLOEXEC"
	BadFamily Cause = "this kernel has no such family"
	BadType   Cause = "this kernel has no such type"
	Matched   Cause = "a rule allows it"
	NoFamily  Cause = "no rule names the family"
	NoType    Cause = "the family is allowed, but not with this type"
	NoProto   Cause = "the family and type are allowed, but not with this protocol"
)

// Verdict is what a request gets: allowed, and then whatever the kernel says,
// or denied with Errno.
type Verdict struct {
	Allowed bool
	Errno   Errno
	Cause   Cause
}

// Decide is the reference that every backend is judged by. It follows
// __sys_socket and __sock_create in net/socket.c step by step; a request that
// is malformed on a kernel with these limits keeps the kernel's errno.
func (p Policy) Decide(r Request, l Limits) Verdict {
	if r.Type&^(TypeMask|TypeFlags) != 0 {
		return Verdict{Errno: EINVAL, Cause: BadFlags}
	}
	if r.Family < 0 || r.Family >= l.AFMax {
		return Verdict{Errno: EAFNOSUPPORT, Cause: BadFamily}
	}
	if r.Type&TypeMask >= l.SockMax {
		return Verdict{Errno: EINVAL, Cause: BadType}
	}
	if p.All {
		return Verdict{Allowed: true, Cause: Matched}
	}
	cause := NoFamily
	for _, rule := range p.Rules {
		switch c := rule.compare(r); c {
		case Matched:
			return Verdict{Allowed: true, Cause: Matched}
		case NoProto:
			cause = NoProto
		case NoType:
			if cause == NoFamily {
				cause = NoType
			}
		}
	}
	return Verdict{Errno: p.DenyErrno.Errno(cause), Cause: cause}
}

// Match returns the first rule that allows a well-formed request.
func (p Policy) Match(r Request) (Rule, bool) {
	for _, rule := range p.Rules {
		if rule.compare(r) == Matched {
			return rule, true
		}
	}
	return Rule{}, false
}

// compare tells how far a well-formed request agrees with the rule.
func (rule Rule) compare(r Request) Cause {
	family, typ, protocol := r.Triple()
	if rule.Family != family {
		return NoFamily
	}
	want := rule
	if want.Type == Any && typ <= lastType {
		want.Type = typ
	}
	wantType, wantProtocol := canonical(family, want.Type, want.Protocol)
	gotType, gotProtocol := canonical(family, typ, protocol)
	switch {
	case wantType != gotType:
		return NoType
	case wantProtocol == Any:
		return Matched
	case protocol < 0 || protocol > maxProtocol || wantProtocol != gotProtocol:
		return NoProto
	}
	return Matched
}
