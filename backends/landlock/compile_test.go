// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sockade/sockade/engine"
)

const allRights = bindTCP | connectTCP | bindUDP | connectUDP

// kernel is what a kernel with the dialect reads out of a ruleset.
type kernel struct {
	handled bool
	triples map[[3]int32]bool
	net     uint64
	ports   map[uint16]uint64
}

func read(t *testing.T, r ruleset, socketOffset int) kernel {
	t.Helper()
	k := kernel{triples: map[[3]int32]bool{}, ports: map[uint16]uint64{}}
	if r.empty() {
		return k
	}
	k.net = binary.NativeEndian.Uint64(r.attr[netOffset:])
	k.handled = binary.NativeEndian.Uint64(r.attr[socketOffset:]) == socketCreate
	for _, rule := range r.rules {
		access := binary.NativeEndian.Uint64(rule.attr)
		switch rule.kind {
		case ruleSocket:
			if len(rule.attr) != 20 || access != socketCreate {
				t.Fatalf("rule %x", rule.attr)
			}
			word := func(i int) int32 { return int32(binary.NativeEndian.Uint32(rule.attr[8+4*i:])) }
			k.triples[[3]int32{word(0), word(1), word(2)}] = true
		case rulePort:
			port := binary.NativeEndian.Uint64(rule.attr[8:])
			if len(rule.attr) != 16 || port > 65535 || access == 0 || access&^k.net != 0 {
				t.Fatalf("rule %x", rule.attr)
			}
			k.ports[uint16(port)] |= access
		default:
			t.Fatalf("rule of type %d", rule.kind)
		}
	}
	return k
}

// allows is the kernel's hook: the triple itself, or with any protocol.
func (k kernel) allows(family, typ, protocol int32) bool {
	if !k.handled {
		return true
	}
	return k.triples[[3]int32{family, typ, protocol}] || k.triples[[3]int32{family, typ, anyValue}]
}

// TestCompile: what the kernel makes of the rules is the reference's verdict.
func TestCompile(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	offsets := map[string]struct{ size, offset int }{"rfc4": {32, 16}, "tail": {56, 48}}
	policies := []engine.Policy{{}, {All: true}}
	for _, text := range []string{"unix", "tcp", "inet/*/tcp", "netlink/raw/route", "packet/packet", "llc/stream/7,phonet/dgram/0", "unix/200,inet/stream/0"} {
		p, err := engine.ParseAllow(engine.SplitRules(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p)
	}
	for _, rules := range []int{3, 64} {
		var p engine.Policy
		for len(p.Rules) < rules {
			rule := engine.Rule{Family: r.Int32N(48), Type: r.Int32N(12) - 1, Protocol: r.Int32N(300) - 1}
			if (engine.Policy{Rules: []engine.Rule{rule}}).Validate() == nil {
				p.Rules = append(p.Rules, rule)
			}
		}
		policies = append(policies, p)
	}
	for i := range dialects {
		d := &dialects[i]
		for _, p := range policies {
			k := read(t, compile(p, d, 0, offsets[d.name].size), offsets[d.name].offset)
			for range 20_000 {
				q := engine.Request{
					Family: r.Int32N(engine.KnownLimits.AFMax), Type: r.Int32N(engine.KnownLimits.SockMax),
					Protocol: []int32{0, 1, 2, 6, 17, 132, 262, 65534, 65535, -1, -2, 1 << 20, r.Int32N(300)}[r.IntN(13)],
				}
				if got, want := k.allows(q.Triple()), p.Decide(q, engine.KnownLimits).Allowed; got != want {
					t.Fatalf("%s: %v: rules of %v allow it: %v, the reference: %v", d.name, q, p, got, want)
				}
			}
		}
	}
}

// TestCompilePorts: a port has the rights that the policy gives it, all 65536 of them.
func TestCompilePorts(t *testing.T) {
	some := engine.PortSet{{First: 0, Last: 0}, {First: 443, Last: 443}, {First: 60000, Last: 65535}}
	for name, p := range map[string]engine.Ports{
		"nothing":      {},
		"some":         {ConnectTCP: some, BindTCP: engine.PortSet{}, ConnectUDP: engine.PortSet{{First: 53, Last: 53}}},
		"all are none": {ConnectTCP: engine.PortSet{{First: 0, Last: 65535}}, BindUDP: some},
	} {
		t.Run(name, func(t *testing.T) {
			r := compile(engine.Policy{All: true, Ports: p}, nil, allRights, 48)
			k := read(t, r, 16)
			if k.handled {
				t.Error("sockets are handled")
			}
			for right, set := range map[uint64]engine.PortSet{connectTCP: p.ConnectTCP, bindTCP: p.BindTCP, connectUDP: p.ConnectUDP, bindUDP: p.BindUDP} {
				if handled := k.net&right != 0; handled == set.All() {
					t.Errorf("right %#x handled: %v", right, handled)
					continue
				}
				for port := range 65536 {
					if got := k.net&right == 0 || k.ports[uint16(port)]&right != 0; got != set.Contains(uint16(port)) {
						t.Fatalf("right %#x of port %d: %v", right, port, got)
					}
				}
			}
		})
	}
	p := engine.Policy{All: true, Ports: engine.Ports{ConnectUDP: some, ConnectTCP: some}}
	if k := read(t, compile(p, nil, bindTCP|connectTCP, 24), 16); k.net != connectTCP {
		t.Errorf("a kernel without rights for UDP is asked for %#x", k.net)
	}
}

// TestDialects pins the bytes: what a kernel is asked, by the size of its struct.
func TestDialects(t *testing.T) {
	one := strings.Repeat("00", 8)
	for _, c := range []struct {
		dialect dialect
		size    int
		want    string // empty where the struct is none of the dialect
	}{
		{rfc4, 24, ""},
		{rfc4, 32, one + one + "01" + one[2:] + one},
		{rfc4, 48, ""},
		{tail, 16, ""},
		{tail, 24, ""},
		{tail, 32, one + one + one + "01" + one[2:]},
		{tail, 56, strings.Repeat(one, 6) + "01" + one[2:]},
	} {
		attr := make([]byte, c.size)
		ok := c.dialect.handle(attr)
		if got := hex.EncodeToString(attr); ok != (c.want != "") || ok && got != c.want && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
			t.Errorf("%s with %d bytes: %v %s, want %q", c.dialect.name, c.size, ok, got, c.want)
		}
	}
}

func TestAssess(t *testing.T) {
	unix, err := engine.ParseAllow([]string{"unix"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	unsupported, ports, udp, receive := unix, unix, unix, unix
	unsupported.DenyErrno = engine.DenyUnsupported
	ports.Ports.ConnectTCP = engine.PortSet{{First: 443, Last: 443}}
	udp.Ports.BindUDP = engine.PortSet{}
	receive.FDs.Receive = engine.ReceivePolicy
	native := []engine.Feature{tail.feature()}
	tcp := []engine.Feature{TCPPorts, engine.FastOpen}
	all := slices.Concat(native, tcp, []engine.Feature{UDPPorts})
	for name, c := range map[string]struct {
		policy   engine.Policy
		features []engine.Feature
		gaps     string
		covers   int
	}{
		"native":                      {unix, native, "", 1},
		"released":                    {unix, tcp, "create", 0},
		"errno":                       {unsupported, native, "deny-errno", 1},
		"ports on a released one":     {ports, tcp, "create", 1},
		"messages that connect":       {ports, tcp[:1], "create tcp-fastopen", 1},
		"ports without rules":         {ports, native, "ports", 1},
		"udp":                         {udp, all, "", 2},
		"udp without rules":           {udp, slices.Concat(native, tcp), "ports", 1},
		"received":                    {receive, native, "fds-receive", 1},
		"all":                         {engine.Policy{All: true}, tcp, "", 1},
		"all but ports":               {engine.Policy{All: true, Ports: ports.Ports}, tcp, "", 2},
		"all but ports without rules": {engine.Policy{All: true, Ports: ports.Ports}, nil, "ports", 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := New().Assess(c.policy, engine.Support{Available: true, Limits: engine.KnownLimits, Features: c.features})
			var gaps []string
			for _, g := range got.Gaps {
				gaps = append(gaps, g.ID)
				if g.What == "" || g.Why == "" || g.Fix == "" {
					t.Errorf("the gap does not say all: %+v", g)
				}
			}
			if strings.Join(gaps, " ") != c.gaps || len(got.Covers) != c.covers || len(got.Narrowings) > 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}
