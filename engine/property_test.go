// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Values where the families, types and protocols differ in meaning, so that
// random policies and requests meet.
var (
	genFamily = rapid.SampledFrom([]int32{
		0, afUNIX, afINET, afINET, afINET6, afATMPVC, afNetlink, afPacket, afLLC, afPhonet,
		afIEEE802154, afVSOCK, afQIPCRTR, 43, 45, 46, 254,
	})
	genType       = rapid.SampledFrom([]int32{Any, Any, 0, 1, 1, 2, 2, 3, 5, 10, 11, 12, 15, 16, 254})
	ruleProtocols = []int32{Any, Any, Any, 0, 0, 1, 2, 6, 17, 40, 58, 132, 262, 0x300, 65534}
	genProtocol   = rapid.SampledFrom(ruleProtocols)

	genRule = rapid.Custom(func(t *rapid.T) Rule {
		return Rule{genFamily.Draw(t, "family"), genType.Draw(t, "type"), genProtocol.Draw(t, "protocol")}
	}).Filter(func(rule Rule) bool { return rule.validate() == nil })

	genPorts = rapid.Custom(func(t *rapid.T) PortSet {
		if rapid.Bool().Draw(t, "unrestricted") {
			return nil
		}
		set := PortSet{}
		for range rapid.IntRange(0, 3).Draw(t, "ranges") {
			first := rapid.SampledFrom([]uint16{0, 1, 2, 79, 80, 65534, 65535}).Draw(t, "first")
			last := rapid.SampledFrom([]uint16{0, 1, 2, 79, 80, 65534, 65535}).Draw(t, "last")
			set = append(set, PortRange{min(first, last), max(first, last)})
		}
		return set
	})

	genPolicy = rapid.Custom(func(t *rapid.T) Policy {
		return Policy{
			All:       rapid.IntRange(0, 9).Draw(t, "all") == 0,
			Rules:     rapid.SliceOfN(genRule, 0, 12).Draw(t, "rules"),
			DenyErrno: DenyErrno(rapid.IntRange(0, 1).Draw(t, "errno")),
			Ports:     Ports{genPorts.Draw(t, "a"), genPorts.Draw(t, "b"), genPorts.Draw(t, "c"), genPorts.Draw(t, "d")},
			FDs:       FDs{Inherit(rapid.IntRange(0, 2).Draw(t, "inherit")), Receive(rapid.IntRange(0, 1).Draw(t, "receive"))},
		}
	})
)

// wide is a kernel that has grown, so that what no rule means is tried too.
var wide = Limits{AFMax: 48, SockMax: 13}

// eachRequest calls f with a request for every family and type of the wide
// kernel and protocols from inside and outside of what rules can name.
func eachRequest(f func(Request)) {
	protocols := append([]int32{-1 << 31, -2, 3, 65535, 65536, 0x7fff0300}, ruleProtocols[2:]...)
	for family := range wide.AFMax {
		for typ := range wide.SockMax {
			for _, protocol := range protocols {
				f(Request{family, typ, protocol})
			}
		}
	}
}

func TestExpandAgreesWithDecide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := genPolicy.Draw(t, "policy")
		if policy.All {
			if policy.Expand() != nil {
				t.Fatal("all expands")
			}
			return
		}
		index := map[[2]int32]Allowed{}
		for _, a := range policy.Expand() {
			if _, twice := index[[2]int32{a.Family, a.Type}]; twice || !slices.IsSorted(a.Protocols.List) || a.Protocols.Any && a.Protocols.List != nil {
				t.Fatalf("%+v", a)
			}
			index[[2]int32{a.Family, a.Type}] = a
		}
		eachRequest(func(r Request) {
			family, typ, protocol := r.Triple()
			want := policy.Decide(r, wide).Allowed
			if got := index[[2]int32{family, typ}].allows(protocol); got != want {
				t.Fatalf("%s under %s: expanded %t, decided %t", r, policy, got, want)
			}
			if _, got := policy.Match(r); got != want {
				t.Fatalf("%s under %s: matched %t, decided %t", r, policy, got, want)
			}
		})
	})
}

func TestIntersect(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genPolicy.Draw(t, "a"), genPolicy.Draw(t, "b")
		c := Intersect(a, b)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		eachRequest(func(r Request) {
			want := a.Decide(r, wide).Allowed && b.Decide(r, wide).Allowed
			if got := c.Decide(r, wide).Allowed; got != want {
				t.Fatalf("%s: %t under %s, want %t of %s and %s", r, got, c, want, a, b)
			}
		})
		for _, key := range portKeys {
			for _, port := range []uint16{0, 1, 2, 3, 78, 79, 80, 81, 65533, 65534, 65535} {
				want := key.set(&a.Ports).Contains(port) && key.set(&b.Ports).Contains(port)
				if key.set(&c.Ports).Contains(port) != want {
					t.Fatalf("%s %d: %s of %s and %s", key.name, port, *key.set(&c.Ports), *key.set(&a.Ports), *key.set(&b.Ports))
				}
			}
		}
		if c.FDs.Inherit > a.FDs.Inherit || c.FDs.Inherit > b.FDs.Inherit || c.FDs.Receive < a.FDs.Receive || c.FDs.Receive < b.FDs.Receive || c.DenyErrno != a.DenyErrno {
			t.Fatalf("%+v of %+v and %+v", c, a, b)
		}
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := genPolicy.Draw(t, "policy")
		parsed, err := ParsePolicy("p", []byte(policy.TOML()))
		if err != nil || !parsed.Equal(policy) {
			t.Fatalf("%+v\n%s%+v %v", policy, policy.TOML(), parsed, err)
		}
		allow, err := ParseAllow(SplitRules(policy.String()), nil)
		if err != nil || allow.String() != policy.String() {
			t.Fatalf("%s: %s %v", policy, allow, err)
		}
	})
}

// TestDenySubtracts holds deny to its meaning: allowed, and named by no
// element of deny.
func TestDenySubtracts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := genPolicy.Draw(t, "policy")
		denied := rapid.SliceOfN(genRule, 1, 4).Draw(t, "deny")
		var words []string
		for i := range denied {
			denied[i].Protocol = Any
			words = append(words, denied[i].String())
		}
		got, err := ParseAllow(policy.words(), words)
		if err != nil {
			t.Fatal(err)
		}
		eachRequest(func(r Request) {
			_, taken := Policy{Rules: denied}.Match(r)
			family, _, _ := r.Triple()
			taken = taken || slices.Contains(denied, Rule{family, Any, Any}) // types beyond "any" go too
			want := policy.Decide(r, wide).Allowed && !taken
			if policy.All { // unknown families and types stay denied
				want = want && r.Family < knownFamilies && r.Type <= lastType
			}
			if got.Decide(r, wide).Allowed != want {
				t.Fatalf("%s under %s minus %v: want %t", r, policy, words, want)
			}
		})
	})
}

func TestDeniedIsDenied(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := genPolicy.Draw(t, "policy")
		r, ok := policy.Denied(KnownLimits)
		if ok == policy.All {
			t.Fatalf("%s: %t", policy, ok)
		}
		if v := policy.Decide(r, KnownLimits); ok && (v.Allowed || v.Errno != policy.DenyErrno.Errno(v.Cause)) {
			t.Fatalf("%s under %s: %+v", r, policy, v)
		}
	})
}
