// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

// portThin keeps the run over all ports as short as the rest, and formThin the one over
// all forms of addresses on slow machines. It is prime.
const (
	portThin = 5
	formThin = 11
)

// addressBytes makes the struct sockaddr of an address.
func addressBytes(a *engine.Address) []byte {
	if a == nil {
		return nil
	}
	b := make([]byte, 128) // more than any, so that nothing behind a short one is read
	binary.NativeEndian.PutUint16(b, uint16(a.Family))
	binary.BigEndian.PutUint16(b[2:], a.Port)
	switch { // for documentation: there is no way to them
	case a.Any:
	case a.Family == afInet6:
		copy(b[8:], []byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
	default:
		copy(b[4:], []byte{192, 0, 2, 1})
	}
	return b[:a.Len]
}

// portEntry is one way of making calls of a kind.
type portEntry struct {
	name string
	call engine.PortCall
	thin int // of all ports, for ways that differ in little
	// One of these makes it.
	direct func(fd, flags int, address []byte) unix.Errno
	ring   func(r *sys.Ring, fd, flags int, address []byte) (unix.Errno, error)
}

var portEntries = []portEntry{
	{name: "bind", call: engine.Bind, thin: 1, direct: func(fd, _ int, a []byte) unix.Errno { return sys.Bind(fd, a) }},
	{name: "connect", call: engine.Connect, thin: 1, direct: func(fd, _ int, a []byte) unix.Errno { return sys.Connect(fd, a) }},
	{name: "sendto", call: engine.Send, thin: 1, direct: sys.Sendto},
	{name: "sendmsg", call: engine.Send, thin: 17, direct: sys.Sendmsg},
	{name: "sendmmsg", call: engine.Send, thin: 17, direct: sys.Sendmmsg},
	{name: "IORING_OP_BIND", call: engine.Bind, thin: 17, ring: func(r *sys.Ring, fd, _ int, a []byte) (unix.Errno, error) { return r.Bind(fd, a) }},
	{name: "IORING_OP_CONNECT", call: engine.Connect, thin: 17, ring: func(r *sys.Ring, fd, _ int, a []byte) (unix.Errno, error) { return r.Connect(fd, a) }},
	{name: "IORING_OP_SENDMSG", call: engine.Send, thin: 17, ring: (*sys.Ring).Sendmsg},
}

// portProber issues the requests of a case, twice: without a policy and with it.
type portProber struct {
	thin     int
	seed     uint64
	ports    []uint16
	fastOpen bool
	entries  []portEntry
	ring     *sys.Ring
	sockets  map[portKind]int
}

// portKind is a UDP socket that is made before the policy.
type portKind struct {
	family    int32
	connected bool
}

// newPortProber enters nothing and leaves nothing: the child is in a network namespace
// of its own, whose loopback is down afterwards, so that nothing is ever sent.
func newPortProber(j job, about []engine.Ports, fastOpen bool) (*portProber, []Missing, error) {
	p := &portProber{thin: j.Thin * portThin, seed: j.Seed, ports: interestingPorts(about...), fastOpen: fastOpen, sockets: map[portKind]int{}}
	if err := setLoopback(unix.IFF_UP); err != nil {
		return nil, nil, err
	}
	for _, family := range []int32{afInet, afInet6} {
		for i, connected := range []bool{false, true} {
			fd, err := unix.Socket(int(family), sockDgram|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
			if err != nil {
				return nil, nil, err
			}
			p.sockets[portKind{family, connected}] = fd
			// An address of its own, as connecting to AF_UNSPEC takes a chosen one away.
			a := &engine.Address{Family: family, Port: uint16(4000 + 10*int(family) + i), Any: true, Len: addressLen[family]}
			errno := sys.Bind(fd, addressBytes(a))
			if connected && errno == 0 {
				a.Port = 9
				errno = sys.Connect(fd, addressBytes(a))
			}
			if errno != 0 {
				return nil, nil, fmt.Errorf("make a socket with a port: %w", errno)
			}
		}
	}
	if err := setLoopback(0); err != nil {
		return nil, nil, err
	}
	var missing []Missing
	p.ring, _ = sys.NewRing(1, 0) // before the policy: such a ring is of no other task
	for _, e := range portEntries {
		if why := p.misses(e); why != "" {
			missing = append(missing, Missing{e.name, why})
			continue
		}
		p.entries = append(p.entries, e)
	}
	return p, missing, nil
}

// misses tells why there is no such entry here.
func (p *portProber) misses(e portEntry) string {
	if e.ring == nil {
		return ""
	}
	if p.ring == nil {
		return "there is no io_uring here"
	}
	errno, err := e.ring(p.ring, -1, 0, nil)
	switch {
	case err != nil:
		return err.Error()
	case errno == unix.EINVAL:
		return "this kernel's io_uring has no such operation"
	}
	return ""
}

// setLoopback sets the flags of the loopback device.
func setLoopback(flags uint16) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(flags)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}

// each issues all requests by all entries.
func (p *portProber) each(tell func(e portEntry, r portRequest, got unix.Errno)) error {
	var failed error
	for _, e := range p.entries {
		n := p.seed
		eachPortRequest(p.ports, p.thin*e.thin, func(r portRequest) {
			// Not every form of address on a slow machine, but others each time.
			if n++; n%uint64(min(p.thin/portThin, formThin)) != 0 && r.Address != nil {
				return
			}
			// A ring would wait for a connection that nobody answers.
			waits := e.ring != nil && r.Call != engine.Bind && (!r.known || !r.UDP && r.Address != nil && r.Address.Any)
			if failed != nil || r.Call != e.call || r.FastOpen && !p.fastOpen || waits {
				return
			}
			got, err := p.ask(e, r)
			if err != nil {
				failed = fmt.Errorf("%s: %w", e.name, err)
				return
			}
			tell(e, r, got)
		})
	}
	return failed
}

// errNoSocket is a kind of socket that this kernel has not got.
var errNoSocket = unix.EPROTONOSUPPORT

func (p *portProber) ask(e portEntry, r portRequest) (unix.Errno, error) {
	fd, ready := p.sockets[portKind{r.Family, r.connected}], r.Bound
	if !ready {
		var err error
		fd, err = unix.Socket(int(r.Family), int(r.typ)|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(r.protocol))
		if errors.Is(err, errNoSocket) || errors.Is(err, unix.ESOCKTNOSUPPORT) {
			return errNoSocket, nil
		}
		if err != nil {
			return 0, err
		}
		defer unix.Close(fd)
	}
	flags := unix.MSG_NOSIGNAL | unix.MSG_DONTWAIT
	if r.FastOpen {
		flags |= unix.MSG_FASTOPEN
	}
	if e.ring != nil {
		return e.ring(p.ring, fd, flags, addressBytes(r.Address))
	}
	return e.direct(fd, flags, addressBytes(r.Address)), nil
}

// portGaps returns why a backend cannot take a policy about ports, if it cannot, and
// whether it looks at connections by a message.
func portGaps(b engine.Backend, s engine.Support, k Case) (why string, fastOpen bool) {
	fastOpen = true
	for _, p := range k.policies() {
		for _, g := range b.Assess(p, s).Gaps {
			if g.ID != engine.FindingFastOpen {
				return g.Why, false
			}
			fastOpen = false
		}
	}
	return "", fastOpen
}

// conformPorts holds a backend to a policy about ports: a request gets what it got
// without the policy, unless the reference denies it.
func conformPorts(j job, b engine.Backend, a *answer) error {
	support := b.Probe(engine.Trial)
	_, fastOpen := portGaps(b, support, j.Case)
	var about []engine.Ports
	for _, p := range j.Case.policies() {
		about = append(about, p.Ports)
	}
	prober, missing, err := newPortProber(j, about, fastOpen)
	if err != nil {
		return err
	}
	a.Missing = missing
	var before []unix.Errno
	if err := prober.each(func(_ portEntry, _ portRequest, got unix.Errno) { before = append(before, got) }); err != nil {
		return err
	}
	for _, p := range j.Case.policies() {
		layer, err := b.Prepare(p, support)
		if err != nil {
			return err
		}
		if err := layer.Enforce(engine.Thread); err != nil {
			return err
		}
	}
	tallies := map[string]*tally{}
	n := 0
	err = prober.each(func(e portEntry, r portRequest, got unix.Errno) {
		want := before[n]
		n++
		if v := j.Case.wantPort(r.PortRequest); r.known && !v.Allowed {
			want = unix.Errno(v.Errno)
		}
		if tallies[e.name] == nil {
			tallies[e.name] = &tally{entry: e.name, policy: j.Case.Name}
		}
		tallies[e.name].comparePort(r, want, got)
	})
	for _, t := range tallies {
		a.Result.add(t.result())
	}
	return err
}

func (t *tally) comparePort(r portRequest, want, got unix.Errno) {
	t.requests++
	// What is malformed is refused either way, and by which errno depends on who looks
	// first: Landlock before Linux 6.18 does so wherever a domain is about any port.
	malformed := func(e unix.Errno) bool { return e == unix.EINVAL || e == unix.EAFNOSUPPORT }
	if got == want || malformed(got) && malformed(want) {
		t.exact++
		return
	}
	t.divergences++
	if len(t.list) < maxDiverged {
		t.list = append(t.list, Divergence{Policy: t.policy, Entry: t.entry, Ports: r.String(), Want: errnoName(want), Got: errnoName(got)})
	}
}
