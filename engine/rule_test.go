// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"
)

func TestParseRule(t *testing.T) {
	for text, want := range map[string]string{
		"unix": "unix", "local": "unix", "file": "unix", "1": "unix", "0x1": "unix",
		"route": "netlink", "INET/Stream/TCP": "inet/stream/tcp", " inet ": "inet", //nolint:gocritic // spaces around a rule are ignored
		"inet6/dgram/17": "inet6/dgram/udp", "inet/*/*": "inet", "inet/stream/*": "inet/stream",
		"inet/*/tcp": "inet/*/tcp", "netlink/raw/inet_diag": "netlink/raw/sock_diag",
		"packet/raw/0x0300": "packet/raw/0x0300", "packet/raw/768": "packet/raw/0x0300",
		"vsock/stream": "vsock/stream", "254/254/65534": "254/254/65534", "0": "unspec",
		"bluetooth/raw/hci": "bluetooth/raw/hci", "smc/stream/smc6": "smc/stream/smc6",
		"inet6/packet": "inet6/packet", "packet/packet": "packet/packet",
	} {
		rule, err := ParseRule(text)
		if err != nil || rule.String() != want {
			t.Errorf("%q: %s %v, want %s", text, rule, err, want)
		}
	}
}

func TestParseRuleErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                               `rule "": it is empty; write FAMILY`,
		"   ":                            `it is empty`,
		"inet/strem":                     `rule "inet/strem": unknown type "strem"; did you mean "stream"?`,
		"inte":                           `unknown family "inte"; did you mean "inet"?`,
		"tcpp":                           `unknown family "tcpp"; did you mean "tcp"?`,
		"frobnicate":                     `unknown family "frobnicate"; write a known name or a number, 0 to 254`,
		"inet/stream/tpc":                `unknown inet protocol "tpc"; did you mean "tcp"?`,
		"alg/seqpacket/aes":              `unknown alg protocol "aes"; write a known name or a number, 0 to 65534`,
		"255":                            `family 255 is out of range; write 0 to 254`,
		"-1":                             `family -1 is out of range`,
		"inet/255":                       `type 255 is out of range; write 0 to 254`,
		"inet/0x80001":                   `type 0x80001 is out of range`,
		"inet/1/65535":                   `inet protocol 65535 is out of range; write 0 to 65534`,
		"inet/1/99999999999999999999999": `out of range`,
		"inet/1/0xffffffffffffffffffff":  `out of range`,
		"inet/1/-99999999999999999999":   `out of range`,
		"inet/":                          `the type is empty; write a name or a number, or leave out the "/"`,
		"inet/stream/":                   `the inet protocol is empty`,
		"inet//tcp":                      `the type is empty`,
		"/stream":                        `the family is empty`,
		"inet/stream/tcp/x":              `4 parts; write FAMILY`,
		"in\x00et":                       `rule "in\x00et": control character '\x00'`,
		"inet\n":                         `control character '\n'`,
		"\tinet":                         `control character '\t'`,
		"inet/stream\x7f":                `control character '\x7f'`,
		"in\xffet":                       `unknown family`,
		"pac\u212aet":                    `unknown family`, // the Kelvin sign is no k
		"inet / stream":                  `unknown family "inet "; did you mean "inet"?`,
		"*":                              `the family cannot be "*"; write all to allow every family`,
		"*/stream":                       `the family cannot be "*"`,
		"tcp":                            `"tcp" is a bundle of rules and not a family; write it alone`,
		"tcp/stream":                     `"tcp" is a bundle`,
		"all":                            `"all" is a bundle`,
		"inet,unix":                      `a rule has no comma`,
		"inet/packet":                    `the kernel turns such a request into packet/packet before any check; write packet/packet`,
		"2/10/3":                         `write packet/packet`,
		"+2":                             `unknown family "+2"`,
		"0x":                             `unknown family "0x"`,
		"1_0":                            `unknown family`,
		strings.Repeat("é", 1<<20):       `ééé..."; write`,
		strings.Repeat("1", 1<<20):       `out of range`,
		strings.Repeat("/", 1<<20):       `1048577 parts`,
	} {
		_, err := ParseRule(text)
		checkError(t, cut(text), err, want)
	}
}

// checkError wants an error with the text in it that fits a line.
func checkError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Errorf("%q: no error, want %s", what, want)
		return
	}
	if got := err.Error(); !strings.Contains(got, want) || oneLine(got) != got || len(got) > 500 {
		t.Errorf("%q: %s\nwant %s", what, got, want)
	}
}

func TestParseAllow(t *testing.T) {
	for _, test := range []struct {
		allow string
		deny  []string
		want  string
	}{
		{"none", nil, "none"},
		{"all", nil, "all"},
		{"ALL,tcp", nil, "all"},
		{"tcp", nil, "inet/stream/tcp,inet6/stream/tcp"},
		{" UDP ", nil, "inet/dgram/udp,inet6/dgram/udp"},
		{"mptcp", nil, "inet/stream/mptcp,inet6/stream/mptcp"},
		{"icmp", nil, "inet/dgram/icmp,inet6/dgram/icmpv6"},
		{"netlink,unix,unix,local", nil, "unix,netlink"},
		{"inet/stream,inet,inet/*/tcp", nil, "inet,inet/*/tcp,inet/stream"},
		{"unix,inet", []string{"inet"}, "unix"},
		{"unix", []string{"alg"}, "unix"},
		{"tcp,udp", []string{"inet/stream"}, "inet/dgram/udp,inet6/stream/tcp,inet6/dgram/udp"},
		{"inet", []string{"inet/raw", "inet/12"}, "inet/0,inet/stream,inet/dgram,inet/rdm,inet/seqpacket,inet/dccp,inet/7,inet/8,inet/9"},
		{"inet/*/tcp,inet/12", []string{"inet/12"}, "inet/*/tcp"},
		{"unix", []string{"unix/raw"}, "unix/0,unix/stream,unix/rdm,unix/seqpacket,unix/dccp,unix/7,unix/8,unix/9,unix/packet"},
		{"unix/raw,unix/stream", []string{"unix/dgram"}, "unix/stream"},
		{"kcm/*/connected", []string{"kcm/stream"}, "kcm/0/connected,kcm/dgram/connected,kcm/raw/connected,kcm/rdm/connected,kcm/seqpacket/connected,kcm/dccp/connected,kcm/7/connected,kcm/8/connected,kcm/9/connected,kcm/packet/connected"},
	} {
		policy, err := ParseAllow(SplitRules(test.allow), test.deny)
		if err != nil || policy.String() != test.want {
			t.Errorf("%s minus %v: %s %v\nwant %s", test.allow, test.deny, policy, err, test.want)
		}
	}
	if p, err := ParseAllow(nil, nil); err != nil || p.String() != "none" {
		t.Errorf("no list: %s %v", p, err)
	}
}

func TestAllMinusIsClosed(t *testing.T) {
	policy := mustAllow(t, "all", "alg", "inet/raw")
	if policy.All || !slices.Contains(policy.Rules, Rule{45, Any, Any}) || slices.Contains(policy.Rules, Rule{46, Any, Any}) {
		t.Fatal(policy)
	}
	for r, want := range map[Request]bool{
		{38, sockSeqpacket, 0}:     false,
		{46, sockStream, 0}:        false, // a family that nobody knows yet
		{afINET, sockRaw, 1}:       false,
		{afINET, sockStream, 262}:  true,
		{afINET, sockPacket, 0}:    true, // packet is not denied
		{afINET6, sockRaw, 58}:     true,
		{afNetlink, sockRaw, 1000}: true,
	} {
		if got := policy.Decide(r, Limits{47, 11}).Allowed; got != want {
			t.Errorf("%s: %t", r, got)
		}
	}
}

func TestParseAllowErrors(t *testing.T) {
	many := slices.Repeat([]string{"inet"}, 100_000)
	for _, test := range []struct {
		allow, deny []string
		want        string
	}{
		{SplitRules("none,tcp"), nil, "none must stand alone"},
		{SplitRules("all,none"), nil, "none must stand alone"},
		{SplitRules(""), nil, `rule "": it is empty`},
		{SplitRules("unix,,inet"), nil, `rule "": it is empty`},
		{SplitRules("unix,"), nil, `rule "": it is empty`},
		{SplitRules("unix"), []string{"tcp"}, `deny "tcp": a protocol cannot be denied, as others (mptcp, smc) would still reach the same network; list in allow what may be used`},
		{SplitRules("unix"), []string{"icmp"}, "a protocol cannot be denied"},
		{SplitRules("unix"), []string{"udp"}, "a protocol cannot be denied"},
		{SplitRules("unix"), []string{"mptcp"}, "a protocol cannot be denied"},
		{SplitRules("unix"), []string{"inet/stream/tcp"}, "a protocol cannot be denied"},
		{SplitRules("unix"), []string{"inet/*/tcp"}, "a protocol cannot be denied"},
		{SplitRules("unix"), []string{"all"}, `deny "all": deny takes out families or types`},
		{SplitRules("unix"), []string{"None"}, `deny "none": deny takes out families or types`},
		{SplitRules("unix"), []string{"inet/packet"}, "write packet/packet"},
		{SplitRules("unix"), []string{"ine"}, `did you mean "inet"`},
		{many, nil, "allow has 100000 rules, more than the limit of 10000"},
		{SplitRules("unix"), many, "deny has 100000 rules, more than the limit of 10000"},
	} {
		_, err := ParseAllow(test.allow, test.deny)
		checkError(t, cut(strings.Join(test.allow, ",")), err, test.want)
	}
}
