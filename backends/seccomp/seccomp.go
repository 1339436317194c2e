// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"runtime"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
)

// compileFunc makes the filter of a policy for a machine with these limits.
type compileFunc func(engine.Policy, machine, engine.Limits) (cbpf.Program, error)

// RingFilter is the feature of kernels that ask a filter about every
// IORING_OP_SOCKET (Linux 7.1). It covers rings that are made afterwards by the
// task that loads it: a process that restricts itself may have others, and has
// to do without the feature.
const RingFilter engine.Feature = "io_uring-filter"

type backend struct {
	name    string
	compile compileFunc
	// ring makes the filter of io_uring.
	ring func(engine.Policy, engine.Limits) (cbpf.Program, error)
	// surelyFits is how many rules fit into a filter whatever they are, so that
	// the start with a usual policy compiles once and not twice.
	surelyFits int
	// missing says why the compiler is not in this binary.
	missing string
}

// New returns the backend with Sockade's own compiler, which is in every build.
func New() engine.Backend {
	return backend{name: "seccomp", compile: compile, ring: compileRing, surelyFits: 40}
}

// Name implements [engine.Backend].
func (b backend) Name() string { return b.name }

// Probe implements [engine.Backend]: a trial loads a filter in a task of its own
// that changes the errno of one socket call, and makes that call.
func (b backend) Probe(d engine.Depth) engine.Support {
	if b.missing != "" {
		return engine.Support{Reason: b.missing}
	}
	if machineOf(runtime.GOARCH) == nil {
		return engine.Support{Reason: "no syscall table for " + runtime.GOARCH + " here; supported are amd64, arm64 and riscv64"}
	}
	return probe(d)
}

// Assess implements [engine.Backend].
func (b backend) Assess(p engine.Policy, s engine.Support) engine.Coverage {
	var c engine.Coverage
	if err := b.fits(p, s); err != nil {
		c.Gaps = append(c.Gaps, engine.Finding{
			ID: engine.FindingCreate, What: "no socket rule of the policy", Why: err.Error(),
			Fix: "write fewer rules: whole families or types in place of single protocols",
		})
	} else {
		c.Covers = append(c.Covers, "socket and socketpair by family, type and protocol")
	}
	if p.Ports.Restricted() {
		c.Gaps = append(c.Gaps, gapPorts)
	}
	if p.FDs.Receive == engine.ReceivePolicy {
		c.Gaps = append(c.Gaps, gapReceive)
	}
	fastOpen := deniesFastOpen(p, s)
	if fastOpen {
		c.Narrowings = append(c.Narrowings, narrowFastOpen)
	}
	if p.All && !fastOpen {
		return c
	}
	if machineOf(runtime.GOARCH).hasSocketcall() {
		c.Narrowings = append(c.Narrowings, narrowSocketcall)
	}
	switch {
	case fastOpen:
		c.Narrowings = append(c.Narrowings, narrowIOURingSend)
	case !s.Has(RingFilter):
		c.Narrowings = append(c.Narrowings, narrowIOURing)
	case !filtersRings(p, s):
		c.Narrowings = append(c.Narrowings, narrowIOURingErrno)
	}
	if p.All {
		return c
	}
	c.Narrowings = append(c.Narrowings, narrowAttach)
	c.Unseen = append(c.Unseen, unseenProcMem)
	return c
}

// fits tells whether the policy fits into one filter.
func (b backend) fits(p engine.Policy, s engine.Support) error {
	if len(p.Rules) <= b.surelyFits {
		return nil
	}
	_, err := b.layer(p, s)
	return err
}

// Prepare implements [engine.Backend].
func (b backend) Prepare(p engine.Policy, s engine.Support) (engine.Layer, error) {
	l, err := b.layer(p, s)
	if err != nil {
		return nil, fmt.Errorf("%s: compile policy: %w", b.name, err)
	}
	return l, nil
}

// layer is a filter that is ready to load, and one of io_uring where that has not
// to be denied as a whole.
type layer struct{ prog, ring cbpf.Program }

// filtersRings tells whether io_uring gets a filter of its own, which can deny
// with EACCES only.
func filtersRings(p engine.Policy, s engine.Support) bool {
	return s.Has(RingFilter) && p.DenyErrno == engine.DenyEACCES && !p.All && !deniesFastOpen(p, s)
}

// deniesFastOpen tells whether connections by a message are denied: the policy restricts
// the ports of connections, and the kernel's rules about those do not see such ones.
func deniesFastOpen(p engine.Policy, s engine.Support) bool {
	return !p.Ports.ConnectTCP.All() && !s.Has(engine.FastOpen)
}

func (b backend) layer(p engine.Policy, s engine.Support) (l layer, err error) {
	m := machineOf(runtime.GOARCH)
	if deniesFastOpen(p, s) {
		m = m.withoutFastOpen()
	}
	if filtersRings(p, s) {
		m = m.withRings()
		if l.ring, err = b.ring(p, s.Limits); err != nil {
			return layer{}, err
		}
	}
	l.prog, err = b.compile(p, m, s.Limits)
	return l, err
}

// Close implements [engine.Layer].
func (layer) Close() error { return nil }

// What a seccomp filter does not do as the policy says. docs/limits.md has the
// same list for readers.
var (
	gapPorts = engine.Finding{
		ID: engine.FindingPorts, What: "TCP and UDP ports",
		Why: "connect(2) and bind(2) take the address behind a pointer, which a seccomp filter cannot read",
		Fix: "remove [ports], or use a backend that sees addresses: landlock or bpflsm",
	}
	gapReceive = engine.Finding{
		ID: engine.FindingReceive, What: "sockets that are received over UNIX sockets",
		Why: "a seccomp filter does not see which files a message carries",
		Fix: `set [fds] receive = "any", or use the bpflsm backend`,
	}
	narrowSocketcall = engine.Finding{
		ID: engine.FindingSocketcall, What: "socket and socketpair through socketcall(2), which 32-bit x86 programs use that come from Go or from a glibc for old kernels, such as Debian's",
		Why: "its arguments are behind a pointer, so every one is denied",
		Fix: "run a 64-bit build, or use a backend that has no such narrowing: landlock or bpflsm",
	}
	narrowIOURing = engine.Finding{
		ID: engine.FindingIOURing, What: "io_uring, all of it: io_uring_setup(2) fails with EPERM as under kernel.io_uring_disabled=2",
		Why: "IORING_OP_SOCKET makes sockets that a seccomp filter does not see",
		Fix: "programs fall back to plain system calls; else boot Linux 7.1 or later, which has filters for io_uring, or use a backend that has no such narrowing: landlock or bpflsm",
	}
	narrowIOURingSend = engine.Finding{
		ID: engine.FindingIOURing, What: narrowIOURing.What,
		Why: "it connects by messages too, which a filter does not see",
		Fix: narrowFastOpen.Fix,
	}
	narrowFastOpen = engine.Finding{
		ID: engine.FindingFastOpen, What: "TCP Fast Open: messages with MSG_FASTOPEN fail with EOPNOTSUPP as under net.ipv4.tcp_fastopen=0, and through socketcall(2) all with an address",
		Why: "they connect, a filter does not see where to, and this kernel's Landlock does not look at them",
		Fix: "programs fall back to connect(2); else boot a kernel with Landlock's correction (Debian's 6.12, Linux 7.2), or use the bpflsm backend",
	}
	narrowIOURingErrno = engine.Finding{
		ID: engine.FindingIOURing, What: narrowIOURing.What,
		Why: "a filter of io_uring denies with EACCES only, and the policy has deny_errno = \"unsupported\"",
		Fix: `programs fall back to plain system calls; else set deny_errno = "eacces", or use the bpflsm backend`,
	}
	narrowAttach = engine.Finding{
		ID: engine.FindingAttach, What: "attaching to processes: PTRACE_ATTACH, PTRACE_SEIZE, process_vm_writev(2), pidfd_getfd(2) fail with EPERM",
		Why: "a process outside the sandbox could be made to create or hand over sockets, and a filter cannot tell which process is meant",
		Fix: "run debuggers outside the sandbox (gdb may start a program inside: PTRACE_TRACEME works); else use landlock or bpflsm",
	}
	unseenProcMem = engine.Finding{
		ID: engine.FindingProcMem, What: "writes to /proc/PID/mem of processes of the same user outside the sandbox",
		Why: "they are plain file writes, which a seccomp filter cannot tell from others",
		Fix: "run the command as a user of its own, or set kernel.yama.ptrace_scope=1",
	}
)
