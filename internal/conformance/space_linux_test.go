// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"slices"
	"testing"

	"github.com/sockade/sockade/engine"
)

// TestSpace: the space has no request twice, is as long as it says, and holds
// the edges at which filters are wrong.
func TestSpace(t *testing.T) {
	seen := map[request]bool{}
	next := 0
	eachRequest(1, func(i int, r request) {
		if i != next {
			t.Fatalf("request %d has number %d", next, i)
		}
		next++
		if seen[r] {
			t.Errorf("%+v is there twice", r)
		}
		seen[r] = true
	})
	if next != spaceSize() {
		t.Errorf("%d requests; spaceSize says %d", next, spaceSize())
	}
	for _, r := range []engine.Request{
		{Family: -1, Type: 0, Protocol: 0},
		{Family: 64, Type: 15, Protocol: 300},
		{Family: 2, Type: 10, Protocol: 768}, // SOCK_PACKET
		{Family: 65536 + 2, Type: 1, Protocol: 6},
		{Family: 2, Type: 1, Protocol: 65536 + 6},
		{Family: 2, Type: 1, Protocol: -1},
		{Family: 2, Type: 1 | engine.TypeFlags, Protocol: 6},
		{Family: 2, Type: 1 | 1<<4, Protocol: 6},
	} {
		if !slices.ContainsFunc(uppers, func(upper uint32) bool { return seen[request{r, upper}] }) {
			t.Errorf("%v is not in the space", r)
		}
	}
	tcp := engine.Request{Family: 2, Type: 1, Protocol: 6}
	if !seen[request{tcp, 0}] || !slices.ContainsFunc(uppers[1:], func(upper uint32) bool { return seen[request{tcp, upper}] }) {
		t.Error("TCP is not asked for both with and without garbage in the upper halves")
	}
}

// TestThinSpace: an entry that is asked only a share of the space still meets
// every family with every type and with every protocol.
func TestThinSpace(t *testing.T) {
	for _, e := range allEntries() {
		asked, withProtocol := map[[2]int32]bool{}, map[[2]int32]bool{}
		e.each(1, func(_ int, r request) {
			asked[[2]int32{r.Family, r.Type}] = true
			withProtocol[[2]int32{r.Family, r.Protocol}] = true
		})
		for _, family := range families() {
			if e.pair && family == 17 {
				continue // AF_PACKET has a share of its own, see each
			}
			for typ := range int32(types) {
				if e.pair && family == 2 && typ == 10 {
					continue // it becomes AF_PACKET
				}
				if !asked[[2]int32{family, typ}] {
					t.Errorf("%s never asks for family %d type %d", e.name, family, typ)
				}
			}
			for _, protocol := range protocols() {
				if !withProtocol[[2]int32{family, protocol}] && e.thin < types {
					t.Errorf("%s never asks for family %d protocol %d", e.name, family, protocol)
				}
			}
		}
	}
}

// TestWant: what a request should get is the reference verdict; in a sandbox in
// a sandbox it is the first denial.
func TestWant(t *testing.T) {
	limits := engine.KnownLimits
	for _, c := range Cases(7) {
		want := c.want(limits)
		eachRequest(101, func(_ int, r request) {
			exact := c.Policy.Decide(r.Request, limits)
			if c.Outer != nil && exact.Allowed {
				exact = c.Outer.Decide(r.Request, limits)
			}
			if got := want(r.Request); got != exact {
				t.Fatalf("policy %s: %v: want %+v, the reference says %+v", c.Name, r.Request, got, exact)
			}
		})
	}
}

// TestCases: the random policies follow from the seed, and from nothing else.
func TestCases(t *testing.T) {
	a, b, other := Cases(1), Cases(1), Cases(2)
	differs := false
	for i := range a {
		if !a[i].Policy.Equal(b[i].Policy) {
			t.Errorf("policy %s is not repeatable", a[i].Name)
		}
		if err := a[i].Policy.Validate(); err != nil {
			t.Errorf("policy %s: %v", a[i].Name, err)
		}
		differs = differs || !a[i].Policy.Equal(other[i].Policy)
	}
	if !differs {
		t.Error("the seed changes no policy")
	}
	if n := len(a[len(a)-1].Policy.Rules); n != 200 {
		t.Errorf("the last policy has %d rules", n)
	}
}

func TestResultAdd(t *testing.T) {
	child := Result{
		Requests: 3, Divergences: 2, Narrowed: 1, Diverged: []Divergence{{Policy: "p"}},
		Entries: []EntryResult{{"socket", 3, 2, 1, 0}},
	}
	var sum Result
	sum.add(child)
	sum.add(child)
	sum.add(Result{Requests: 1, Entries: []EntryResult{{"x32 socket", 1, 0, 0, 1}}})
	if sum.Requests != 7 || sum.Divergences != 4 || sum.Narrowed != 2 || len(sum.Diverged) != 2 ||
		!slices.Equal(sum.Entries, []EntryResult{{"socket", 6, 4, 2, 0}, {"x32 socket", 1, 0, 0, 1}}) {
		t.Errorf("%+v", sum)
	}
	if n := (Report{Reference: Result{Divergences: 1}, Backends: []Result{sum, sum}}).Divergences(); n != 9 {
		t.Errorf("the report has %d divergences", n)
	}
}
