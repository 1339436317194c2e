// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

func probe(d engine.Depth) engine.Support {
	s, err := find(d)
	if err != nil {
		return engine.Support{Reason: "landlock: " + err.Error()}
	}
	s.Available = true
	return s
}

// find returns what the kernel's Landlock can do. An error says that it is nothing that
// is of use here, and why.
func find(d engine.Depth) (engine.Support, error) {
	abi, errno := sys.LandlockABI()
	if errno != 0 {
		return engine.Support{}, explainABI(errno)
	}
	afMax, sockMax, exact := sys.SocketLimits(engine.KnownLimits.AFMax, engine.KnownLimits.SockMax)
	s := engine.Support{Limits: engine.Limits{AFMax: afMax, SockMax: sockMax}}
	size := attrSize()
	var proof []string
	switch dialect, why := findDialect(d, size, afMax); {
	case dialect == nil:
		proof = append(proof, "no socket rules: "+why)
	case d != engine.Trial:
		s.Features = append(s.Features, dialect.feature())
		proof = append(proof, "the kernel takes socket rules in dialect "+dialect.name)
	default:
		s.Features = append(s.Features, dialect.feature())
		proof = append(proof, "socket rules in dialect "+dialect.name+" decided socket(2) by family, type and protocol in a task of its own")
	}
	ports, portProof := findPorts(d, size)
	s.Features = append(s.Features, ports...)
	proof = append(proof, portProof...)
	if len(s.Features) == 0 {
		return s, fmt.Errorf("ABI %d: %s: use another backend", abi, strings.Join(proof, "; "))
	}
	s.Proof = fmt.Sprintf("%s (ABI %d)", strings.Join(proof, "; "), abi)
	if !exact {
		s.Proof += "; AF_MAX and SOCK_MAX are assumed: an outer sandbox hides them"
	}
	return s, nil
}

func explainABI(errno unix.Errno) error {
	switch errno {
	case unix.ENOSYS:
		return errors.New("this kernel has none (Linux 5.13, CONFIG_SECURITY_LANDLOCK): use another backend")
	case unix.EOPNOTSUPP:
		return errors.New("it is not among the kernel's security modules: boot with landlock in lsm=, or use another backend")
	}
	return fmt.Errorf("landlock_create_ruleset: %w: %s", errno, outer)
}

const outer = "an outer sandbox denies it: run sockade outside, or use another backend"

// attrSize returns the size of the kernel's struct landlock_ruleset_attr: beyond it the
// kernel accepts zeros only (copy_struct_from_user).
func attrSize() int {
	const field, last = 8, 256
	size := field
	for ; size < last; size += field {
		attr := make([]byte, size+field)
		binary.NativeEndian.PutUint64(attr[size:], 1<<63) // no field has this bit
		fd, errno := sys.LandlockRuleset(attr)
		if errno == unix.E2BIG {
			break
		}
		if errno == 0 {
			_ = unix.Close(fd)
		}
	}
	return size
}

// build has the kernel make the ruleset.
func build(r ruleset) (fd int, err error) {
	fd, errno := sys.LandlockRuleset(r.attr)
	if errno != 0 {
		return -1, fmt.Errorf("create ruleset: %w", errno)
	}
	for _, rule := range r.rules {
		if errno := sys.LandlockRule(fd, rule.kind, rule.attr); errno != 0 {
			_ = unix.Close(fd)
			return -1, fmt.Errorf("add rule: %w", errno)
		}
	}
	return fd, nil
}

// within makes the calls in a domain of the ruleset, in a task that is gone afterwards.
func within(r ruleset, calls []sys.Call) error {
	fd, err := build(r)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	all := append(sys.LandlockCalls(fd, 0), calls...)
	if err := sys.Elsewhere(all); err != nil {
		return err
	}
	for _, c := range all[:2] {
		if errno := c.Errno(); errno != 0 {
			return explainRestrict("a task of its own", errno)
		}
	}
	copy(calls, all[2:])
	return nil
}

// Protocols of UNIX sockets that do not exist: an allowed one gets the kernel's own
// errno, so that nothing is made.
const (
	tryAllowed = 77
	tryDenied  = 78
)

// findDialect returns the dialect that does what a policy says, else why each does not.
func findDialect(d engine.Depth, size int, afMax int32) (*dialect, string) {
	var why []string
	for i := range dialects {
		err := dialects[i].try(d, size, afMax)
		if err == nil {
			return &dialects[i], ""
		}
		why = append(why, fmt.Sprintf("not in dialect %s (%v)", dialects[i].name, err))
	}
	return nil, strings.Join(why, ", ")
}

func (d dialect) try(depth engine.Depth, size int, afMax int32) error {
	attr := make([]byte, size)
	if !d.handle(attr) {
		return fmt.Errorf("the kernel's struct landlock_ruleset_attr has %d bytes", size)
	}
	none := ruleset{attr: attr}
	some := ruleset{attr: attr, rules: []rule{
		{ruleSocket, d.rule(unix.AF_UNIX, unix.SOCK_STREAM, tryAllowed)},
		{ruleSocket, d.rule(unix.AF_UNIX, unix.SOCK_DGRAM, anyValue)},
	}}
	if depth != engine.Trial {
		fd, err := build(some)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
	if err := socketsWithin(none, []tried{{unix.AF_UNIX, unix.SOCK_STREAM, tryAllowed, unix.EACCES}}); err != nil {
		return fmt.Errorf("without a rule: %w", err)
	}
	return socketsWithin(some, []tried{
		{unix.AF_UNIX, unix.SOCK_STREAM, tryAllowed, unix.EPROTONOSUPPORT},
		{unix.AF_UNIX, unix.SOCK_DGRAM, tryDenied, unix.EPROTONOSUPPORT},
		{unix.AF_UNIX, unix.SOCK_STREAM, tryDenied, unix.EACCES},
		{unix.AF_UNIX, unix.SOCK_SEQPACKET, tryAllowed, unix.EACCES},
		{unix.AF_INET, unix.SOCK_STREAM, tryAllowed, unix.EACCES},
		{unix.AF_UNSPEC, unix.SOCK_STREAM, tryAllowed, unix.EACCES},
		// What is malformed keeps the kernel's errno.
		{unix.AF_UNIX, unix.SOCK_STREAM | 0x100, tryDenied, unix.EINVAL},
		{afMax, unix.SOCK_STREAM, tryDenied, unix.EAFNOSUPPORT},
		{unix.AF_UNIX, 15, tryDenied, unix.EINVAL},
	})
}

// tried is a socket(2) call and the errno that it should get.
type tried struct {
	family, typ, protocol int32
	want                  unix.Errno
}

func socketsWithin(r ruleset, tries []tried) error {
	calls := make([]sys.Call, len(tries))
	for i, t := range tries {
		calls[i] = sys.Call{Nr: unix.SYS_SOCKET, Args: [6]uintptr{uintptr(t.family), uintptr(t.typ), uintptr(t.protocol)}}
	}
	if err := within(r, calls); err != nil {
		return err
	}
	for i, t := range tries {
		if got := calls[i].Errno(); got != t.want {
			return fmt.Errorf("socket(%d, %#x, %d) gives %s and not %s", t.family, t.typ, t.protocol, name(got), name(t.want))
		}
	}
	return nil
}

func name(errno unix.Errno) string {
	if errno == 0 {
		return "a socket"
	}
	return unix.ErrnoName(errno)
}

// findPorts returns what port rules there are.
func findPorts(d engine.Depth, size int) (features []engine.Feature, proof []string) {
	for _, p := range []struct {
		feature engine.Feature
		name    string
		rights  uint64
		bind    uint64
		typ     int
	}{
		{TCPPorts, "TCP", bindTCP | connectTCP, bindTCP, unix.SOCK_STREAM},
		{UDPPorts, "UDP", bindUDP | connectUDP, bindUDP, unix.SOCK_DGRAM},
	} {
		r, ok := portRuleset(p.rights, size)
		var fd int
		var err error
		if ok {
			fd, err = build(r)
		}
		if !ok || err != nil {
			proof = append(proof, "no rules for "+p.name+" ports")
			continue
		}
		_ = unix.Close(fd)
		text := "the kernel takes rules for " + p.name + " ports"
		if d != engine.Inquiry {
			switch shown, err := tryBind(p.bind, p.typ, size); {
			case err != nil:
				proof = append(proof, fmt.Sprintf("no rules for %s ports that work: %v", p.name, err))
				continue
			case shown:
				text = "rules for " + p.name + " ports decided bind(2)"
			}
			if p.feature == TCPPorts && seesFastOpen(size) {
				text += ", and a message with MSG_FASTOPEN"
				features = append(features, engine.FastOpen)
			}
		}
		features, proof = append(features, p.feature), append(proof, text)
	}
	return features, proof
}

// portRuleset handles rights and allows nothing.
func portRuleset(rights uint64, size int) (ruleset, bool) {
	if size < netOffset+8 {
		return ruleset{}, false
	}
	attr := make([]byte, size)
	binary.NativeEndian.PutUint64(attr[netOffset:], rights)
	return ruleset{attr: attr}, true
}

// anyPort is a struct sockaddr_in without an address and a port.
type anyPort struct {
	family uint16
	_      [26]byte // as long as a struct sockaddr_in6
}

// tryBind shows whether a port is denied and another allowed; it cannot be shown where
// there is no socket to be had.
func tryBind(right uint64, typ, size int) (shown bool, err error) {
	fd, err := unix.Socket(unix.AF_INET, typ|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, nil //nolint:nilerr // a sandbox around this one
	}
	defer unix.Close(fd)
	r, _ := portRuleset(right, size)
	bind := func() (unix.Errno, error) {
		calls := []sys.Call{{Nr: unix.SYS_BIND, Args: [6]uintptr{uintptr(fd), sys.Pointer(&anyPort{family: unix.AF_INET}), unix.SizeofSockaddrInet4}}}
		err := within(r, calls)
		return calls[0].Errno(), err
	}
	if got, err := bind(); err != nil || got != unix.EACCES {
		return false, errors.Join(err, fmt.Errorf("a denied bind(2) gives %s", name(got)))
	}
	r.rules = []rule{{rulePort, portRule{port: 0}.withAccess(right)}}
	if got, err := bind(); err != nil || got != 0 {
		return false, errors.Join(err, fmt.Errorf("an allowed bind(2) gives %s", name(got)))
	}
	return true, nil
}

// seesFastOpen tells whether Landlock looks at the address of a message with
// MSG_FASTOPEN. The address is of another family: Landlock gives EINVAL for it, and TCP
// something else, before anything is sent.
func seesFastOpen(size int) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	r, _ := portRuleset(connectTCP, size)
	calls := []sys.Call{{Nr: unix.SYS_SENDTO, Args: [6]uintptr{
		uintptr(fd), 0, 0, unix.MSG_FASTOPEN | unix.MSG_DONTWAIT, sys.Pointer(&anyPort{family: unix.AF_INET6}), unix.SizeofSockaddrInet6,
	}}}
	return within(r, calls) == nil && calls[0].Errno() == unix.EINVAL
}
