// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/sockade/sockade/engine"
)

// Case is one policy to hold a backend to. Outer, if set, is enforced before
// it: a sandbox in a sandbox.
type Case struct {
	Name   string
	Policy engine.Policy
	Outer  *engine.Policy
}

// withEACCES is the case for a backend that knows no other errno.
func (c Case) withEACCES() Case {
	c.Name, c.Policy.DenyErrno = strings.TrimSuffix(c.Name, " (unsupported)")+" (eacces)", engine.DenyEACCES
	if c.Outer != nil {
		outer := *c.Outer
		outer.DenyErrno = engine.DenyEACCES
		c.Outer = &outer
	}
	return c
}

// Cases returns the reference policies. Those with random rules follow from
// the seed.
func Cases(seed uint64) []Case {
	cases := []Case{{Name: "none"}, {Name: "all", Policy: engine.Policy{All: true}}}
	for _, text := range []string{
		"unix", "tcp", "udp,unix", "inet/*/tcp", "netlink/raw", "packet/raw/0x0300,netlink/raw/route,vsock/stream/vsock",
		"inet,inet6/seqpacket/sctp", "inet,packet/packet", "llc/stream/7,phonet/dgram/0,unix/raw",
	} {
		cases = append(cases, Case{Name: text, Policy: mustParse(text)})
	}
	unsupported := mustParse("tcp,unix/stream,netlink/*/route")
	unsupported.DenyErrno = engine.DenyUnsupported
	outer := mustParse("tcp,udp,unix")
	cases = append(
		cases,
		Case{Name: unsupported.String() + " (unsupported)", Policy: unsupported},
		Case{Name: "tcp,netlink (unsupported) in tcp,udp,unix", Policy: inner("tcp,netlink"), Outer: &outer},
		Case{Name: "tcp,netlink in tcp,udp,unix", Policy: mustParse("tcp,netlink"), Outer: &outer},
	)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, rules := range []int{8, 64, 200} {
		p := engine.Policy{DenyErrno: engine.DenyErrno(rules / 8 % 2)}
		for len(p.Rules) < rules {
			p.Rules = append(p.Rules, randomRule(r))
		}
		cases = append(cases, Case{Name: fmt.Sprintf("%d random rules", rules), Policy: p})
	}
	return cases
}

func inner(text string) engine.Policy {
	p := mustParse(text)
	p.DenyErrno = engine.DenyUnsupported
	return p
}

func mustParse(text string) engine.Policy {
	p, err := engine.ParseAllow(engine.SplitRules(text), nil)
	if err != nil {
		panic("BUG(conformance): " + err.Error())
	}
	return p
}

// randomRule draws from where rules touch: known families, assigned types, and
// protocols that have aliases or are in the space.
func randomRule(r *rand.Rand) engine.Rule {
	for {
		rule := engine.Rule{Family: r.Int32N(48), Type: r.Int32N(12) - 1, Protocol: engine.Any}
		if r.IntN(4) > 0 {
			some := []int32{0, 1, 2, 6, 17, 40, 58, 132, 255, 256, 262, 768, 65534}
			rule.Protocol = append(some, r.Int32N(301), r.Int32N(301))[r.IntN(len(some)+2)]
		}
		if (engine.Policy{Rules: []engine.Rule{rule}}).Validate() == nil {
			return rule
		}
	}
}

// want is what a request gets in the case: the inner policy's denial, else the
// outer one's verdict.
func (c Case) want(l engine.Limits) func(engine.Request) engine.Verdict {
	in := newVerdicts(c.Policy, l)
	if c.Outer == nil {
		return in.of
	}
	out := newVerdicts(*c.Outer, l)
	return func(r engine.Request) engine.Verdict {
		if v := in.of(r); !v.Allowed {
			return v
		}
		return out.of(r)
	}
}
