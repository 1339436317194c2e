// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
)

// manyNames is how many sockets a warning names.
const manyNames = 8

// Warnings are what a policy allows although one may take it to be denied, whatever
// enforces it: sockets that reach the same networks as TCP and UDP and to which [Ports]
// does not apply.
func (p Policy) Warnings() []Finding {
	if p.Ports.ConnectTCP.All() && p.Ports.BindTCP.All() && p.Ports.ConnectUDP.All() && p.Ports.BindUDP.All() {
		return nil
	}
	var names []string
	if p.All {
		names = []string{"all of them"}
	}
	for _, a := range p.Expand() {
		names = append(names, a.withoutPorts()...)
	}
	if len(names) == 0 {
		return nil
	}
	if more := len(names) - manyNames; more > 0 {
		names = append(names[:manyNames], fmt.Sprintf("%d more", more))
	}
	return []Finding{{
		ID: FindingPorts, What: "ports are not restricted for other protocols than TCP and UDP, which the policy allows too: " + strings.Join(names, ", "),
		Why: "[ports] is about TCP and UDP: MPTCP, SCTP, SMC, UDP-Lite and raw sockets are none of these",
		Fix: "allow tcp and udp in place of whole families and types",
	}}
}

// Unseen are ways around [Ports] that no mechanism is asked about, whatever enforces it.
func (p Policy) Unseen() (out []Finding) {
	if !p.Ports.BindTCP.All() {
		out = append(out, Finding{
			ID: "tcp-listen", What: "the port of a TCP socket that listens without a bind(2)",
			Why: "listen(2) takes one from the ephemeral range, and nobody is asked about it as a bind",
			Fix: "do not rely on bind_tcp to keep a program from listening: leave tcp out of what is allowed",
		})
	}
	if !p.Ports.BindTCP.All() || !p.Ports.ConnectTCP.All() {
		out = append(out, Finding{
			ID: "tcp-smc", What: `the ports of a TCP socket that setsockopt(TCP_ULP, "smc") turns into an SMC socket`,
			Why: "rules are about TCP, and it is none any more",
			Fix: "keep the kernel module smc from being loaded",
		})
	}
	return out
}

// withoutPorts names the sockets of a family and type that are neither TCP nor UDP.
func (a Allowed) withoutPorts() (names []string) {
	var ports []int32
	switch {
	case a.Family == afSMC:
		return []string{Rule{a.Family, a.Type, Any}.String()}
	case a.Family != afINET && a.Family != afINET6:
		return nil
	case a.Type == sockStream:
		ports = []int32{0, protoTCP}
	case a.Type == sockDgram:
		ports = []int32{0, protoUDP, protoICMP, protoICMPv6} // ping sockets reach no port
	}
	if a.Protocols.Any {
		return []string{Rule{a.Family, a.Type, Any}.String()}
	}
	for _, protocol := range a.Protocols.List {
		if !slices.Contains(ports, protocol) {
			names = append(names, Rule{a.Family, a.Type, protocol}.String())
		}
	}
	return names
}
