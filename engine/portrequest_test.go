// SPDX-License-Identifier: Apache-2.0

package engine

import "testing"

func TestPortsDecide(t *testing.T) {
	p := Ports{
		ConnectTCP: PortSet{{443, 443}}, BindTCP: PortSet{{8080, 8080}},
		ConnectUDP: PortSet{{53, 53}}, BindUDP: PortSet{{5353, 5353}},
	}
	inet := func(port uint16) *Address { return &Address{Family: afINET, Port: port, Len: lenInet} }
	inet6 := func(port uint16) *Address { return &Address{Family: afINET6, Port: port, Len: 28} }
	none := &Address{Family: afUNSPEC, Len: lenInet, Any: true}
	const ok = Errno(0)
	for name, c := range map[string]struct {
		r    PortRequest
		want Errno
	}{
		"connect":                          {PortRequest{Call: Connect, Family: afINET, Address: inet(443)}, ok},
		"connect elsewhere":                {PortRequest{Call: Connect, Family: afINET, Address: inet(80)}, EACCES},
		"connect by inet6":                 {PortRequest{Call: Connect, Family: afINET6, Address: inet6(80)}, EACCES},
		"bind":                             {PortRequest{Call: Bind, Family: afINET, Address: inet(8080)}, ok},
		"bind to any port":                 {PortRequest{Call: Bind, Family: afINET, Address: inet(0)}, EACCES},
		"bind to no family":                {PortRequest{Call: Bind, Family: afINET, Address: none}, EACCES},
		"bind to no family and an address": {PortRequest{Call: Bind, Family: afINET, Address: &Address{Len: lenInet}}, EAFNOSUPPORT},
		"bind inet6 to no family":          {PortRequest{Call: Bind, Family: afINET6, Address: &Address{Len: 28, Any: true}}, EAFNOSUPPORT},
		"give up":                          {PortRequest{Call: Connect, Family: afINET, Address: none}, ok},
		"a short address":                  {PortRequest{Call: Connect, Family: afINET, Address: &Address{Family: afINET, Port: 443, Len: 15}}, EINVAL},
		"hardly an address":                {PortRequest{Call: Bind, Family: afINET, Address: &Address{Len: 1}}, EINVAL},
		"another family":                   {PortRequest{Call: Connect, Family: afINET, Address: inet6(443)}, EINVAL},
		"an unknown family":                {PortRequest{Call: Connect, Family: afINET, Address: &Address{Family: afUNIX, Port: 80, Len: 28}}, ok},
		"send on a connection":             {PortRequest{Call: Send, Family: afINET}, ok},
		"send on a connection, to a port":  {PortRequest{Call: Send, Family: afINET, Address: inet(80)}, ok},
		"fast open":                        {PortRequest{Call: Send, FastOpen: true, Family: afINET, Address: inet(443)}, ok},
		"fast open elsewhere":              {PortRequest{Call: Send, FastOpen: true, Family: afINET, Address: inet(80)}, EACCES},
		"udp: connect":                     {PortRequest{UDP: true, Bound: true, Call: Connect, Family: afINET, Address: inet(53)}, ok},
		"udp: connect without a port":      {PortRequest{UDP: true, Call: Connect, Family: afINET, Address: inet(53)}, EACCES},
		"udp: send":                        {PortRequest{UDP: true, Bound: true, Call: Send, Family: afINET, Address: inet(53)}, ok},
		"udp: send elsewhere":              {PortRequest{UDP: true, Bound: true, Call: Send, Family: afINET, Address: inet(54)}, EACCES},
		"udp: send without a port":         {PortRequest{UDP: true, Call: Send, Family: afINET}, EACCES},
		"udp: send, connected":             {PortRequest{UDP: true, Bound: true, Call: Send, Family: afINET}, ok},
		"udp: send to no family":           {PortRequest{UDP: true, Bound: true, Call: Send, Family: afINET, Address: none}, EACCES},
		"udp: send on inet6 to no family":  {PortRequest{UDP: true, Bound: true, Call: Send, Family: afINET6, Address: &Address{Port: 53, Len: 28}}, EACCES},
		"udp: give up, without a port":     {PortRequest{UDP: true, Call: Connect, Family: afINET, Address: none}, ok},
		"udp: bind":                        {PortRequest{UDP: true, Call: Bind, Family: afINET, Address: inet(5353)}, ok},
		"udp: bind elsewhere":              {PortRequest{UDP: true, Call: Bind, Family: afINET, Address: inet(53)}, EACCES},
	} {
		if v := p.Decide(c.r); v.Errno != c.want || v.Allowed != (c.want == ok) {
			t.Errorf("%s: %+v, want %v", name, v, c.want)
		}
		if v := (Ports{}).Decide(c.r); !v.Allowed {
			t.Errorf("%s without a policy: %+v", name, v)
		}
	}
}
