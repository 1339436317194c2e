// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"fmt"
	"strings"

	"github.com/sockade/sockade/engine"
)

// What a probe finds beside a dialect.
const (
	// TCPPorts are rules for the ports of TCP (ABI 4).
	TCPPorts engine.Feature = "tcp-ports"
	// UDPPorts are rules for the ports of UDP (ABI 10).
	UDPPorts engine.Feature = "udp-ports"
)

type backend struct{}

// New returns the backend.
func New() engine.Backend { return backend{} }

// Name implements [engine.Backend].
func (backend) Name() string { return "landlock" }

// Probe implements [engine.Backend]. A trial shows in a task of its own what a dialect
// does to socket(2), and what port rules do to bind(2); an inquiry only what rules the
// kernel takes, which tells the dialects apart too.
func (backend) Probe(d engine.Depth) engine.Support { return probe(d) }

// Assess implements [engine.Backend].
func (backend) Assess(p engine.Policy, s engine.Support) engine.Coverage {
	var c engine.Coverage
	switch d := dialectOf(s); {
	case p.All:
		c.Covers = append(c.Covers, "every socket may be created")
	case d == nil:
		c.Gaps = append(c.Gaps, gapCreate)
	default:
		c.Covers = append(c.Covers, "socket and socketpair by family, type and protocol (native rules, dialect "+d.name+")")
		if p.DenyErrno != engine.DenyEACCES {
			c.Gaps = append(c.Gaps, gapErrno)
		}
	}
	if p.Ports.Restricted() {
		c.Gaps = append(c.Gaps, portGaps(p.Ports, s)...)
		if handled, _ := compilePorts(p.Ports); handled&rightsOf(s) != 0 {
			c.Covers = append(c.Covers, strings.Join(rightNames(handled&rightsOf(s)), ", ")+" ports")
		}
	}
	if p.All {
		return c
	}
	if p.FDs.Receive == engine.ReceivePolicy {
		c.Gaps = append(c.Gaps, gapReceive)
	}
	c.Unseen = append(c.Unseen, engine.UnseenTraced)
	return c
}

// portGaps are the parts of [ports] that the kernel has no rules for.
func portGaps(p engine.Ports, s engine.Support) (gaps []engine.Finding) {
	handled, _ := compilePorts(p)
	if missing := handled &^ rightsOf(s); missing != 0 {
		gap := engine.Finding{
			ID: engine.FindingPorts, What: strings.Join(rightNames(missing), ", ") + " ports",
			Why: "this kernel's Landlock has no rules for them", Fix: "boot Linux 6.7 or later for TCP and 7.2 or later for UDP, use the bpflsm backend, or remove them from [ports]",
		}
		gaps = append(gaps, gap)
	}
	if handled&rightsOf(s)&connectTCP != 0 && !s.Has(engine.FastOpen) {
		gaps = append(gaps, gapFastOpen)
	}
	return gaps
}

// rightsOf are the rights about ports that the kernel has.
func rightsOf(s engine.Support) (rights uint64) {
	if s.Has(TCPPorts) {
		rights |= bindTCP | connectTCP
	}
	if s.Has(UDPPorts) {
		rights |= bindUDP | connectUDP
	}
	return rights
}

func rightNames(rights uint64) (names []string) {
	for i, name := range []string{"bind_tcp", "connect_tcp", "bind_udp", "connect_udp"} {
		if rights>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Prepare implements [engine.Backend]: it has the kernel take the rules and tries, in a
// task of its own, whether there is room for one more domain.
func (backend) Prepare(p engine.Policy, s engine.Support) (engine.Layer, error) {
	l, err := prepare(p, s)
	if err != nil {
		return nil, fmt.Errorf("landlock: %w", err)
	}
	return l, nil
}

// What Landlock does not do as a policy says. docs/limits.md has the same list for
// readers.
var (
	gapCreate = engine.Finding{
		ID: engine.FindingCreate, What: "no socket rule of the policy",
		Why: "this kernel's Landlock has no socket rules, as no released one has (Linux 7.3)",
		Fix: "use another backend beside it or instead: seccomp or bpflsm",
	}
	gapErrno = engine.Finding{
		ID: engine.FindingErrno, What: `deny_errno = "unsupported": denied requests would get EACCES`,
		Why: "native socket rules know no other errno",
		Fix: `set deny_errno = "eacces", or use seccomp or bpflsm`,
	}
	gapFastOpen = engine.Finding{
		ID: engine.FindingFastOpen, What: "TCP connections that are made by a first message (MSG_FASTOPEN)",
		Why: "this kernel's Landlock does not look at the address of such a message",
		Fix: "boot a kernel with the correction (Debian's 6.12 and Linux 7.2 have it), or use seccomp beside it, which denies such messages, or bpflsm",
	}
	gapReceive = engine.Finding{
		ID: engine.FindingReceive, What: "sockets that are received over UNIX sockets",
		Why: "Landlock is not asked about received files",
		Fix: `set [fds] receive = "any", or use the bpflsm backend`,
	}
)
