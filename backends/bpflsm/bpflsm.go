// SPDX-License-Identifier: Apache-2.0

package bpflsm

import (
	"fmt"
	"strconv"

	"github.com/sockade/sockade/engine"
)

// Root is the directory of the pins: one directory for each version of the programs.
const Root = "/sys/fs/bpf/sockade"

// Helper is the command that loads the programs.
const Helper = "sockade-bpf"

// Magic is what programs of a version answer to.
func Magic(version string) uint64 {
	magic, err := strconv.ParseUint(version, 16, 64)
	if err != nil {
		panic("BUG(bpflsm): version " + version + " is not 64 bits in hexadecimal")
	}
	return magic
}

type backend struct{}

// New returns the backend.
func New() engine.Backend { return backend{} }

// Name implements [engine.Backend].
func (backend) Name() string { return "bpflsm" }

// Probe implements [engine.Backend]. Where the programs are loaded a trial enters a
// domain in a task of its own; else it has them loaded for a moment, which takes a
// tenth of a second, and an inquiry says that they are not.
func (backend) Probe(d engine.Depth) engine.Support { return probe(d) }

// Assess implements [engine.Backend].
func (backend) Assess(p engine.Policy, s engine.Support) engine.Coverage {
	var c engine.Coverage
	_, err := compile(p)
	if err == nil && s.Limits.AFMax > families {
		err = fmt.Errorf("this kernel has %d families, and the programs know %d", s.Limits.AFMax, families)
	}
	if err != nil {
		c.Gaps = append(c.Gaps, engine.Finding{
			ID: engine.FindingCreate, What: "no socket rule of the policy", Why: err.Error(),
			Fix: "write fewer rules: whole families or types in place of single protocols, ranges in place of single ports",
		})
		if p.Ports.Restricted() {
			c.Gaps = append(c.Gaps, engine.Finding{ID: engine.FindingPorts, What: "TCP and UDP ports", Why: err.Error(), Fix: "write fewer rules or ports"})
		}
	} else {
		c.Covers = append(c.Covers, "socket and socketpair by family, type and protocol")
	}
	if p.Ports.Restricted() && err == nil {
		c.Covers = append(c.Covers, "TCP and UDP ports")
	}
	if p.All {
		return c
	}
	c.Unseen = append(c.Unseen, engine.UnseenTraced)
	if p.FDs.Receive == engine.ReceivePolicy {
		c.Covers = append(c.Covers, "received sockets by family, type and protocol")
		c.Unseen = append(c.Unseen, unseenSent)
	}
	return c
}

// Prepare implements [engine.Backend]: it has the programs loaded where they are not.
func (backend) Prepare(p engine.Policy, _ engine.Support) (engine.Layer, error) {
	t, err := compile(p)
	if err != nil {
		return nil, fmt.Errorf("bpflsm: compile policy: %w", err)
	}
	return prepare(t)
}

// What the programs do not do as a policy says. docs/limits.md has the same list for
// readers.
var (
	unseenSent = engine.Finding{
		ID: engine.FindingReceive, What: "sockets that a process outside puts into an io_uring of the command (IORING_MSG_SEND_FD)",
		Why: "the kernel asks about received files, and not about these",
		Fix: "it takes a process outside that has a descriptor of that ring: give it none",
	}
)
