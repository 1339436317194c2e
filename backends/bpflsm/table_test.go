// SPDX-License-Identifier: Apache-2.0

package bpflsm

import (
	"slices"
	"strings"
	"testing"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/internal/testutil"
)

// decide is verdict() of sockade.bpf.c: what the programs make of a table.
func (t *Table) decide(family, typ, protocol int32) engine.Verdict {
	cell := t.Cells[family*types+typ]
	deny := func(cause engine.Cause) engine.Verdict {
		errno := engine.DenyEACCES
		if t.Flags&flagUnsupported != 0 {
			errno = engine.DenyUnsupported
		}
		return engine.Verdict{Errno: errno.Errno(cause), Cause: cause}
	}
	ok := engine.Verdict{Allowed: true, Cause: engine.Matched}
	switch {
	case t.Flags&flagAll != 0 || cell == allowed:
		return ok
	case cell == noFamily:
		return deny(engine.NoFamily)
	case cell == noType:
		return deny(engine.NoType)
	}
	set := uint32(cell - firstSet)
	if uint32(protocol) < lowProtocols {
		if t.Low[set][protocol/64]>>(protocol%64)&1 == 1 {
			return ok
		}
	} else if _, found := slices.BinarySearch(t.Listed[:], set<<16|uint32(protocol)); found && uint32(protocol) < 65535 {
		return ok
	}
	return deny(engine.NoProto)
}

// TestCompile holds tables to the reference, for every family and type that gets to
// the hook and protocols around those of the policies.
func TestCompile(t *testing.T) {
	protocols := []int32{0, 1, 2, 5, 6, 17, 40, 58, 63, 64, 131, 132, 133, 136, 255, 256, 257, 262, 300, 768, 1024, 32767, 65533, 65534, 65535, 65536, 65536 + 6, 1<<31 - 1, -1, -6, -1 << 31}
	for _, c := range conformance.Cases(testutil.Rand(t).Uint64()) {
		if c.Outer != nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			table, err := compile(c.Policy)
			if err != nil {
				t.Fatal(err)
			}
			l := engine.KnownLimits
			for family := range l.AFMax {
				for typ := range l.SockMax {
					for _, protocol := range protocols {
						r := engine.Request{Family: family, Type: typ, Protocol: protocol}
						seenFamily, seenType, _ := r.Triple()
						if got, want := table.decide(seenFamily, seenType, protocol), c.Policy.Decide(r, l); got != want {
							t.Fatalf("%v: the table says %+v, the reference %+v", r, got, want)
						}
					}
				}
			}
		})
	}
}

// TestTooLong: a policy that does not fit is a gap, and is never cut.
func TestTooLong(t *testing.T) {
	var p engine.Policy
	for protocol := int32(256); len(p.Rules) <= listed; protocol++ {
		p.Rules = append(p.Rules, engine.Rule{Family: 17, Type: 3, Protocol: protocol})
	}
	if _, err := New().Prepare(p, engine.Support{}); err == nil || !strings.Contains(err.Error(), "more than 1024 protocols") {
		t.Errorf("Prepare gives %v", err)
	}
	c := New().Assess(p, engine.Support{Limits: engine.KnownLimits})
	if len(c.Gaps) != 1 || c.Gaps[0].ID != engine.FindingCreate || len(c.Covers) != 0 {
		t.Errorf("the plan has gaps %+v and covers %v", c.Gaps, c.Covers)
	}
	p.Rules = p.Rules[:listed]
	table, err := compile(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range p.Rules {
		if !table.decide(rule.Family, rule.Type, rule.Protocol).Allowed {
			t.Errorf("%v is denied", rule)
		}
	}
}

// TestManyFamilies: a kernel with families that the table has no cells for is refused.
func TestManyFamilies(t *testing.T) {
	c := New().Assess(engine.Policy{}, engine.Support{Limits: engine.Limits{AFMax: families + 1, SockMax: 11}})
	if len(c.Gaps) != 1 || !strings.Contains(c.Gaps[0].Why, "65 families") {
		t.Errorf("gaps %+v", c.Gaps)
	}
}
