// SPDX-License-Identifier: Apache-2.0

package engine

// Policy says which sockets may be created; everything else is denied. The
// zero value denies every socket with EACCES and refuses inherited ones.
type Policy struct {
	// All allows every family of the running kernel, known to Sockade or not.
	// Rules are then of no effect.
	All bool
	// Rules are what may be created: sorted, without duplicates when parsed.
	Rules []Rule
	// DenyErrno is what a denied request fails with.
	DenyErrno DenyErrno
	// Ports restricts TCP and UDP ports on top of Rules.
	Ports Ports
	// FDs says what happens to sockets that were not created under the policy.
	FDs FDs
}

// DenyErrno selects the errno of a denied request.
type DenyErrno int

const (
	// DenyEACCES is what native Landlock socket rules give.
	DenyEACCES DenyErrno = iota
	// DenyUnsupported gives what a kernel without the protocol would give, so
	// that programs fall back cleanly: EAFNOSUPPORT, ESOCKTNOSUPPORT or
	// EPROTONOSUPPORT, by the first part of the triple that no rule names.
	DenyUnsupported
)

// Errno returns what a request that is denied for the cause fails with.
func (d DenyErrno) Errno(cause Cause) Errno {
	if d == DenyEACCES {
		return EACCES
	}
	switch cause {
	case NoType:
		return ESOCKTNOSUPPORT
	case NoProto:
		return EPROTONOSUPPORT
	}
	return EAFNOSUPPORT
}

// PortSet is a set of ports. Nil means unrestricted; empty and not nil means none.
type PortSet []PortRange

// PortRange is the ports First to Last, both included.
type PortRange struct{ First, Last uint16 }

// Ports restricts ports by operation and protocol. Port 0 of bind is the
// kernel's own choice of a free port.
type Ports struct {
	ConnectTCP, BindTCP, ConnectUDP, BindUDP PortSet
}

// Restricted reports whether any of the sets restricts anything.
func (p Ports) Restricted() bool {
	return p.ConnectTCP != nil || p.BindTCP != nil || p.ConnectUDP != nil || p.BindUDP != nil
}

// FDs says what happens to sockets from outside the policy.
type FDs struct {
	Inherit Inherit
	Receive Receive
}

// Inherit is about sockets and io_uring rings that are open before the start.
type Inherit int

const (
	// InheritCheck refuses to start while one outside the policy is open.
	InheritCheck Inherit = iota
	// InheritClose closes those.
	InheritClose
	// InheritKeep leaves them open.
	InheritKeep
)

// Receive is about sockets that arrive later, by SCM_RIGHTS for example.
type Receive int

const (
	// ReceiveAny lets them in.
	ReceiveAny Receive = iota
	// ReceivePolicy lets in what the rules allow.
	ReceivePolicy
)
