// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
)

func TestWarnings(t *testing.T) {
	some := PortSet{{443, 443}}
	for allow, want := range map[string]string{
		"tcp,udp,unix,icmp":      "",
		"inet/stream":            "inet/stream",
		"tcp,mptcp":              "inet/stream/mptcp, inet6/stream/mptcp",
		"inet/stream/0":          "",
		"inet6/dgram/udplite":    "inet6/dgram/udplite",
		"inet/seqpacket/sctp":    "inet/seqpacket/0, inet/seqpacket/sctp",
		"inet/raw,smc/stream":    "inet/raw, smc/stream",
		"netlink,packet/raw":     "", // other networks, or none
		"all":                    "all of them",
		"inet":                   "inet/0, inet/stream, inet/dgram, inet/raw",
		"inet/*/tcp,inet6/*/udp": "inet/0/tcp, inet/dgram/tcp",
	} {
		p, err := ParseAllow(SplitRules(allow), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Warnings()) > 0 {
			t.Errorf("%s: a warning without ports", allow)
		}
		p.Ports.BindUDP = PortSet{{0, 65535}}
		if len(p.Warnings()) > 0 {
			t.Errorf("%s: a warning with all ports", allow)
		}
		if len(p.Unseen()) > 0 {
			t.Errorf("%s: %+v unseen with all ports", allow, p.Unseen())
		}
		p.Ports.ConnectTCP = some
		if u := p.Unseen(); len(u) != 1 || u[0].ID != "tcp-smc" {
			t.Errorf("%s: connect_tcp has %+v unseen", allow, u)
		}
		q := p
		q.Ports.BindTCP = PortSet{}
		if u := q.Unseen(); len(u) != 2 || u[0].ID != "tcp-listen" {
			t.Errorf("%s: bind_tcp has %+v unseen", allow, u)
		}
		w := p.Warnings()
		if len(w) == 0 != (want == "") || len(w) > 0 && !strings.Contains(w[0].What, ": "+want) {
			t.Errorf("%s: %+v, want %q", allow, w, want)
		}
	}
}
