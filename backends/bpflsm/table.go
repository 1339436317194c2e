// SPDX-License-Identifier: Apache-2.0

package bpflsm

import (
	"fmt"

	"github.com/sockade/sockade/engine"
)

// Sizes in struct policy of sockade.bpf.c.
const (
	families     = 64
	types        = 16
	sets         = 512
	listed       = 1024
	lowProtocols = 256
	portSets     = 4
	portRanges   = 128
)

// What a cell of the table says about a family and type.
const (
	noFamily = iota
	noType
	allowed
	firstSet // this and above: set 0 and above of protocols
)

// Bits of table.Flags.
const (
	flagAll = 1 << iota
	flagUnsupported
	flagReceive

	flagPorts = 1 << 8 // << set: the set restricts
)

// Table is a policy as the programs read it: struct policy of sockade.bpf.c.
type Table struct {
	Flags uint64
	// Cells say by family*16+type what is allowed there.
	Cells [families * types]uint16
	// Low are sets of protocols below 256.
	Low [sets][lowProtocols / 64]uint64
	// Listed are the other protocols as set<<16|protocol, ascending, then all ones.
	Listed [listed]uint32
	// Ports are ranges as first<<32|last, ascending, then at least one noRange, for
	// connect_tcp, bind_tcp, connect_udp and bind_udp.
	Ports [portSets][portRanges]uint64
}

// noRange is above every range.
const noRange = 1 << 62

// compile makes the table of a policy. The kernel keeps families and types beyond
// its own limits from the programs.
func compile(p engine.Policy) (*Table, error) {
	t := &Table{}
	if p.DenyErrno == engine.DenyUnsupported {
		t.Flags |= flagUnsupported
	}
	if p.FDs.Receive == engine.ReceivePolicy {
		t.Flags |= flagReceive
	}
	if p.All {
		t.Flags |= flagAll
	}
	for _, rule := range p.Rules {
		if rule.Family < families {
			for typ := range int32(types) {
				t.Cells[rule.Family*types+typ] = noType
			}
		}
	}
	set, n := 0, 0
	for _, a := range p.Expand() {
		if a.Family >= families || a.Type >= types {
			continue
		}
		cell := &t.Cells[a.Family*types+a.Type]
		if a.Protocols.Any {
			*cell = allowed
			continue
		}
		if set == sets {
			return nil, fmt.Errorf("protocols of more than %d families and types", sets)
		}
		*cell = uint16(firstSet + set)
		for _, protocol := range a.Protocols.List {
			switch {
			case protocol < lowProtocols:
				t.Low[set][protocol/64] |= 1 << (protocol % 64)
			case n == listed:
				return nil, fmt.Errorf("more than %d protocols above %d", listed, lowProtocols-1)
			default:
				t.Listed[n] = uint32(set)<<16 | uint32(protocol)
				n++
			}
		}
		set++
	}
	for ; n < listed; n++ {
		t.Listed[n] = ^uint32(0)
	}
	return t, t.setPorts(p.Ports)
}

func (t *Table) setPorts(p engine.Ports) error {
	for i, set := range []engine.PortSet{p.ConnectTCP, p.BindTCP, p.ConnectUDP, p.BindUDP} {
		ranges := set.Ranges()
		if len(ranges) >= portRanges {
			return fmt.Errorf("more than %d ranges of ports", portRanges-1)
		}
		if !set.All() {
			t.Flags |= flagPorts << i
		}
		for n := range t.Ports[i] {
			t.Ports[i][n] = noRange
			if n < len(ranges) {
				t.Ports[i][n] = uint64(ranges[n].First)<<32 | uint64(ranges[n].Last)
			}
		}
	}
	return nil
}
