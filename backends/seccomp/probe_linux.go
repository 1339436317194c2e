// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"fmt"
	"runtime"

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

func probe() engine.Support {
	var err error
	sys.OnThrowawayThread(func() { err = tryFilter() })
	if err != nil {
		return engine.Support{Reason: err.Error()}
	}
	afMax, sockMax, exact := sys.SocketLimits()
	s := engine.Support{
		Available: true,
		Proof:     "a filter on a throwaway thread decided a socket(2) call by its argument",
		Limits:    engine.Limits{AFMax: afMax, SockMax: sockMax},
	}
	if !exact {
		s.Proof += "; AF_MAX and SOCK_MAX are assumed: an outer sandbox hides them"
	}
	return s
}

// tryFilter restricts the calling thread to a filter that reads an argument.
func tryFilter() error {
	var b cbpf.Builder
	allow, deny := b.Ret(cbpf.RetAllow), b.Ret(cbpf.RetErrno(uint16(probeErrno)))
	var sockets []cbpf.Case
	for _, nr := range machines[runtime.GOARCH][0].create {
		sockets = append(sockets, cbpf.Case{First: nr, Last: nr, Node: b.Load(offArg2, b.Jump(cbpf.JEQ, probeProtocol, deny, allow))})
	}
	prog, err := b.Assemble(b.Load(offNr, b.Switch(sockets, allow)))
	if err != nil {
		return err
	}
	if err := (layer{prog}).Enforce(engine.Thread); err != nil {
		return err
	}
	if errno := sys.TrySocket(0, 0, probeProtocol); errno != probeErrno {
		return fmt.Errorf("seccomp: a loaded filter did not decide socket(2): got %v: an outer sandbox or tracer overrides it", errno)
	}
	return nil
}
