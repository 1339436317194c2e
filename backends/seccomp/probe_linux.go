// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
	"github.com/sockade/sockade/internal/sys"
)

// The probe's request and the errno that only its filter gives for it.
const (
	probeProtocol = 0x50c4ade
	probeErrno    = unix.ENOANO
)

func probe(d engine.Depth) engine.Support {
	find, proof := tryFilter, "a filter in a task of its own decided a socket(2) call by its argument"
	if d != engine.Trial {
		find, proof = askFilter, "the kernel takes filters"
	}
	if err := find(); err != nil {
		return engine.Support{Reason: err.Error()}
	}
	afMax, sockMax, exact := sys.SocketLimits(engine.KnownLimits.AFMax, engine.KnownLimits.SockMax)
	s := engine.Support{
		Available: true,
		Proof:     proof,
		Limits:    engine.Limits{AFMax: afMax, SockMax: sockMax},
	}
	if !exact {
		s.Proof += "; AF_MAX and SOCK_MAX are assumed: an outer sandbox hides them"
		return s // and a filter of io_uring has to know them
	}
	if ringFilters(d, s.Limits) {
		s.Features = append(s.Features, RingFilter)
		if d == engine.Trial {
			s.Proof += "; a filter of io_uring decided IORING_OP_SOCKET by its protocol"
		}
	}
	return s
}

// ringFilters tells whether io_uring has filters here. A trial makes two requests
// that differ in the protocol, of which the filter allows one.
func ringFilters(d engine.Depth, l engine.Limits) bool {
	if d != engine.Trial {
		return sys.HasRingFilter()
	}
	var b cbpf.Builder
	c := compiler{ring: true}
	prog, err := b.Assemble(b.Load(c.arg(2), b.Jump(cbpf.JEQ, probeProtocol, b.Ret(ringDeny), b.Ret(ringAllow))))
	if err != nil {
		return false
	}
	// The family is beyond AF_MAX, so that the kernel answers before it makes anything.
	got, err := sys.TryRingFilter(prog, l.AFMax, probeProtocol, 0)
	return err == nil && slices.Equal(got, []unix.Errno{unix.EACCES, unix.EAFNOSUPPORT})
}

// askFilter offers the kernel a filter that it cannot read: it says so where it
// takes filters (the idiom of seccomp(2)). What denies prctl(2) is mostly an outer
// sandbox that looks at no arguments, so that asking shows whether setting works.
func askFilter() error {
	if _, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil {
		return explainNoNewPrivs(err)
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, 0)
	if errno != unix.EFAULT {
		return explainLoad("the calling thread", 0, errno)
	}
	return nil
}

// tryFilter loads a filter that reads an argument in a task that is gone
// afterwards, and makes the call that it decides.
func tryFilter() error {
	var b cbpf.Builder
	allow, deny := b.Ret(cbpf.RetAllow), b.Ret(cbpf.RetErrno(uint16(probeErrno)))
	decide := b.Load(offArg0+2*argSize, b.Jump(cbpf.JEQ, probeProtocol, deny, allow))
	prog, err := b.Assemble(b.Load(offNr, b.Switch([]cbpf.Case{single(unix.SYS_SOCKET, decide)}, allow)))
	if err != nil {
		return err
	}
	load, socket, err := sys.TryFilter(prog, 0, 0, probeProtocol)
	switch {
	case err != nil:
		return fmt.Errorf("seccomp: try a filter: %w: an outer sandbox denies it: run sockade outside, or use another backend", err)
	case load != 0:
		return explainLoad("a task of its own", len(prog), load)
	case socket != probeErrno:
		return fmt.Errorf("seccomp: a loaded filter did not decide socket(2): got %w: an outer sandbox or tracer overrides it", socket)
	}
	return nil
}
