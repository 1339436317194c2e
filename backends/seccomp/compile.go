// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"slices"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
)

// Offsets in struct seccomp_data (linux/seccomp.h). Of an argument only the low
// word is ever loaded: the kernel ignores what the caller put above it.
const (
	offNr   = 0
	offArch = 4
	offArg0 = 16
	argSize = 8
)

// Arguments that are decided about.
const (
	socketcallSocket     = 1 // SYS_SOCKET, linux/net.h
	socketcallSocketpair = 8
	socketcallSendto     = 11
	socketcallSendmsg    = 16
	socketcallSendmmsg   = 20
	msgFastOpen          = 0x20000000 // MSG_FASTOPEN, linux/socket.h
	ptraceAttach         = 16         // linux/ptrace.h
	ptraceSeize          = 0x4206

	afInet = 2 // with SOCK_PACKET it stands for AF_PACKET
)

// compile turns a policy into a filter: which table, which call, and for
// socket(2) and socketpair(2) the steps of the kernel in its own order. Every
// other call number ends in a constant, so the kernel serves it from a bitmap
// and never runs the filter (seccomp_cache_prepare in kernel/seccomp.c).
// It is pure: the machine and the limits need not be those it runs on.
func compile(p engine.Policy, m machine, l engine.Limits) (cbpf.Program, error) {
	return newCompiler(p, l).filter(m)
}

func (c *compiler) filter(m machine) (cbpf.Program, error) {
	if c.policy.All && !m[0].noFastOpen {
		return c.Assemble(c.Ret(cbpf.RetAllow))
	}
	create := c.create()
	root := c.Ret(cbpf.RetKillProcess)
	for i := len(m) - 1; i >= 0; i-- {
		root = c.Jump(cbpf.JEQ, m[i].audit, c.calls(m[i], create), root)
	}
	return c.Assemble(c.Load(offArch, root))
}

// compileRing is compile for the filter of io_uring's IORING_OP_SOCKET. It says
// only whether to go on: the errno of a denied request is EACCES, and that of a
// malformed one comes from the kernel, whose limits have to be these.
func compileRing(p engine.Policy, l engine.Limits) (cbpf.Program, error) {
	c := newCompiler(p, l)
	c.ring = true
	return c.Assemble(c.create())
}

type compiler struct {
	cbpf.Builder
	policy  engine.Policy
	limits  engine.Limits
	allowed []engine.Allowed // ascending
	ring    bool             // for io_uring and not for seccomp
}

// arg is the offset of family, type or protocol. In struct io_uring_bpf_ctx
// (linux/io_uring/bpf_filter.h) they are half as wide, and begin at the same place.
func (c *compiler) arg(n uint32) uint32 {
	if c.ring {
		return offArg0 + n*argSize/2
	}
	return offArg0 + n*argSize
}

// What a filter of io_uring returns (io_uring/bpf_filter.c).
const (
	ringDeny  = 0
	ringAllow = 1
)

func (c *compiler) allow() cbpf.Node {
	if c.ring {
		return c.Ret(ringAllow)
	}
	return c.Ret(cbpf.RetAllow)
}

func (c *compiler) deny(cause engine.Cause) cbpf.Node {
	if c.ring {
		return c.Ret(ringDeny)
	}
	return c.errno(c.policy.DenyErrno.Errno(cause))
}

// malformed is for what the kernel refuses by itself, before it asks anybody.
func (c *compiler) malformed(e engine.Errno) cbpf.Node {
	if c.ring {
		return c.Ret(ringAllow)
	}
	return c.errno(e)
}

func newCompiler(p engine.Policy, l engine.Limits) *compiler {
	return &compiler{policy: p, limits: l, allowed: p.Expand()}
}

// calls decides by the number of a call.
func (c *compiler) calls(t table, create cbpf.Node) cbpf.Node {
	allow, eperm := c.Ret(cbpf.RetAllow), c.errno(engine.EPERM)
	cases := make([]cbpf.Case, 0, 16)
	add := func(node cbpf.Node, calls ...uint32) {
		for _, nr := range calls {
			cases = append(cases, single(nr, node))
		}
	}
	// What is behind a pointer here cannot be seen, and is denied.
	var unseen []cbpf.Case
	if t.noFastOpen {
		eopnotsupp := c.errno(engine.EOPNOTSUPP)
		for _, s := range t.send {
			add(c.Load(offArg0+s.flags*argSize, c.Jump(cbpf.JSET, msgFastOpen, eopnotsupp, allow)), s.nr)
		}
		for _, call := range []uint32{socketcallSendto, socketcallSendmsg, socketcallSendmmsg} {
			unseen = append(unseen, single(call, eopnotsupp))
		}
	}
	add(eperm, t.uring()...)
	if !c.policy.All {
		unseen = append(unseen, single(socketcallSocket, c.deny(engine.NoFamily)), single(socketcallSocketpair, c.deny(engine.NoFamily)))
		// PTRACE_TRACEME stays: it makes nobody a tracer who was not one before.
		ptrace := c.Load(offArg0, c.Switch([]cbpf.Case{single(ptraceAttach, eperm), single(ptraceSeize, eperm)}, allow))
		add(eperm, nrPidfdGetfd)
		add(eperm, t.processVMWritev...)
		add(create, t.masked()...)
		add(ptrace, t.ptrace...)
	}
	add(c.Load(offArg0, c.Switch(unseen, allow)), t.socketcall...)
	decide := c.Switch(cases, allow)
	if t.nrMask != 0 {
		decide = c.And(t.nrMask, decide)
	}
	// Calls that make sockets are most of what a filter runs for: they come first.
	if !c.policy.All {
		for _, nr := range slices.Backward(t.create) {
			decide = c.Jump(cbpf.JEQ, nr, create, decide)
		}
	}
	return c.Load(offNr, decide)
}

// create decides (family, type, protocol) as __sys_socket and __sock_create do: flags,
// then the range of the family, then that of the type, which is looked at only once.
func (c *compiler) create() cbpf.Node {
	einval, eafnosupport := c.malformed(engine.EINVAL), c.malformed(engine.EAFNOSUPPORT)
	afMax := uint32(c.limits.AFMax)
	cases := append(make([]cbpf.Case, 0, 16), cbpf.Case{First: afMax, Last: ^uint32(0), Node: eafnosupport})
	for family := range c.limits.AFMax {
		if c.names(family) || family == afInet {
			cases = append(cases, single(uint32(family), c.types(family)))
		}
	}
	noFamily := c.byType([]cbpf.Case{c.noType()}, c.deny(engine.NoFamily))
	families := c.Load(c.arg(0), c.Switch(cases, noFamily))
	badFlags := ^uint32(engine.TypeMask | engine.TypeFlags)
	return c.Load(c.arg(1), c.Jump(cbpf.JSET, badFlags, einval, families))
}

// types decides by the type of a family's request, whose flags have been checked.
func (c *compiler) types(family int32) cbpf.Node {
	cases := append(make([]cbpf.Case, 0, 16), c.noType())
	for typ := range c.limits.SockMax {
		cases = append(cases, single(uint32(typ), c.protocols(family, typ)))
	}
	return c.byType(cases, cases[1].Node)
}

// noType is what no kernel knows as a type.
func (c *compiler) noType() cbpf.Case {
	return cbpf.Case{First: uint32(c.limits.SockMax), Last: ^uint32(0), Node: c.malformed(engine.EINVAL)}
}

func (c *compiler) byType(cases []cbpf.Case, otherwise cbpf.Node) cbpf.Node {
	return c.Load(c.arg(1), c.And(uint32(engine.TypeMask), c.Switch(cases, otherwise)))
}

// protocols decides by the protocol of one family and type. The builder drops
// the load where no protocol is allowed.
func (c *compiler) protocols(family, typ int32) cbpf.Node {
	allowed, cause := c.answer(family, typ)
	if allowed.Any {
		return c.allow()
	}
	cases := make([]cbpf.Case, 0, 16)
	for _, protocol := range allowed.List {
		cases = append(cases, single(uint32(protocol), c.allow()))
	}
	return c.Load(c.arg(2), c.Switch(cases, c.deny(cause)))
}

// answer is what the policy says about a family and type within the limits, as
// the program passed them: the protocols that it allows there and why it denies
// all others.
func (c *compiler) answer(family, typ int32) (allowed engine.Protocols, cause engine.Cause) {
	family, typ, _ = engine.Request{Family: family, Type: typ}.Triple()
	at, hasType := slices.BinarySearchFunc(c.allowed, engine.Allowed{Family: family, Type: typ}, engine.Allowed.Compare)
	if hasType {
		allowed = c.allowed[at].Protocols
	}
	switch {
	case hasType:
		cause = engine.NoProto
	case c.names(family):
		cause = engine.NoType
	default:
		cause = engine.NoFamily
	}
	return allowed, cause
}

// names tells whether any rule names the family.
func (c *compiler) names(family int32) bool {
	at, _ := slices.BinarySearchFunc(c.allowed, engine.Allowed{Family: family}, engine.Allowed.Compare)
	return at < len(c.allowed) && c.allowed[at].Family == family
}

func (c *compiler) errno(e engine.Errno) cbpf.Node { return c.Ret(cbpf.RetErrno(uint16(e))) }

func single(value uint32, node cbpf.Node) cbpf.Case {
	return cbpf.Case{First: value, Last: value, Node: node}
}
