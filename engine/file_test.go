// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
	"testing"
)

func TestParsePolicy(t *testing.T) {
	const text = `# the policy of SPEC 5.1
allow = ["unix", "tcp", "netlink/raw/route"]
deny = [
	"alg", # sugar
]
deny_errno = "Unsupported"
[ports]
connect_tcp = [443, "8000-8100", 0x50, 444]
bind_tcp = []
[fds]
inherit = "close"
receive = "policy"
`
	want := Policy{
		Rules:     []Rule{{afUNIX, Any, Any}, {afINET, sockStream, 6}, {afINET6, sockStream, 6}, {afNetlink, sockRaw, 0}},
		DenyErrno: DenyUnsupported,
		Ports:     Ports{ConnectTCP: PortSet{{80, 80}, {443, 444}, {8000, 8100}}, BindTCP: PortSet{}},
		FDs:       FDs{InheritClose, ReceivePolicy},
	}
	got, err := ParsePolicy("p", []byte(text))
	if err != nil || !got.Equal(want) {
		t.Fatalf("%+v %v", got, err)
	}
	if got.Ports.BindTCP == nil || got.Ports.BindUDP != nil {
		t.Error("[] is no port, absent is every port")
	}
	if got.Ports.ConnectTCP.Contains(445) || !got.Ports.ConnectTCP.Contains(8050) || !got.Ports.BindUDP.Contains(1) || got.Ports.BindTCP.Contains(1) {
		t.Error("Contains")
	}
	// The same file in TOML's other spellings.
	inline := `"allow" = ['unix','tcp',"""netlink/raw/route"""]` + "\r\n" + `deny_errno = "unsupported"
ports = {connect_tcp = [80, "443-444", "8000-8100"], bind_tcp = []}
fds.inherit = "close"
fds."receive" = "policy"`
	if got, err := ParsePolicy("p", []byte(inline)); err != nil || !got.Equal(want) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestSpecIsExtended(t *testing.T) {
	spec, err := ParseSpec("p", []byte("deny_errno = \"unsupported\"\ndeny = [\"inet6\"]"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = spec.Policy()
	checkError(t, "no allow", err, "allow is missing; write allow = [] to deny every socket")
	spec.Allow = append(spec.Allow, SplitRules("unix,tcp")...)
	policy, err := spec.Policy()
	if err != nil || policy.String() != "unix,inet/stream/tcp" || policy.DenyErrno != DenyUnsupported {
		t.Errorf("%s %v", policy, err)
	}
	spec.Ports.BindTCP = PortSet{{2, 1}}
	_, err = spec.Policy()
	checkError(t, "ports", err, "ports 2-1: the first is above the last")
}

func TestParsePolicyErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "p.toml:1:1: allow is missing; write allow = [] to deny every socket",
		"deny = [\"inet\"]": "p.toml:1:1: allow is missing",
		"# c\nallow = [\"unix\", \"inet/strem\"]":   `p.toml:2:18: rule "inet/strem": unknown type "strem"; did you mean "stream"?`,
		"allow = [\n  \"unix\",\n  \"inet/\"\n]":    "p.toml:3:3: rule \"inet/\": the type is empty",
		"allow = [\"\"]":                            `p.toml:1:10: rule "": it is empty`,
		"allow = [\"tcp,udp\"]":                     "p.toml:1:10: rule \"tcp,udp\": a rule has no comma",
		"allow = [\"inet/packet\"]":                 "p.toml:1:10: rule \"inet/packet\": it can never match",
		"allow = [\"255\"]":                         "p.toml:1:10: rule \"255\": family 255 is out of range",
		"allow = [\"in\\u0000et\"]":                 `p.toml:1:10: rule "in\x00et": control character`,
		"allow = [\"none\", \"tcp\"]":               "p.toml:1:1: none must stand alone",
		"allow = []\nallow = []":                    "p.toml:2:1: ",
		"allow = []\n[ports]\n[fds]\n[ports]":       "p.toml:4:",
		"allow = []\nfds.inherit=\"keep\"\n[fds]\n": "p.toml:3:",
		"alow = []":                               "p.toml:1:1: unknown key alow; did you mean allow?",
		"Allow = []":                              `p.toml:1:1: unknown key "Allow"; known are allow, deny,`,
		"allow = []\n\"ports.bind_tcp\" = []":     `p.toml:2:1: unknown key "ports.bind_tcp"`,
		"allow = []\n[port]\nbind_tcp = []":       "p.toml:2:2: unknown table port; did you mean ports?",
		"allow = []\n[ports]\nbind_tpc = [1]":     "p.toml:3:1: unknown key ports.bind_tpc; did you mean ports.bind_tcp?",
		"allow = []\n[allow]":                     "p.toml:2:",
		"[deny]":                                  "p.toml:1:2: unknown table deny; known are ports, fds",
		"[[ports]]":                               "p.toml:1:3: [[ports]] is an array of tables; write [ports] or [fds]",
		"[ports.bind_tcp]":                        "p.toml:1:2: unknown table ports.bind_tcp",
		"allow.x = 1":                             "p.toml:1:1: unknown key allow.x",
		"ports = 5":                               "p.toml:1:1: ports is an integer; write a table: [ports]",
		"ports = {bind_tpc = []}":                 "p.toml:1:10: unknown key ports.bind_tpc",
		"allow = \"tcp\"":                         "p.toml:1:9: allow is a string; write an array of strings",
		"allow = true":                            "p.toml:1:9: allow is a boolean",
		"allow = {}":                              "p.toml:1:9: allow is a table",
		"allow = 1979-05-27":                      "p.toml:1:9: allow is a date or time",
		"allow = [1]":                             "p.toml:1:10: an element of allow is an integer; write a string",
		"allow = [[\"unix\"]]":                    "p.toml:1:1: an element of allow is an array",
		"allow = []\ndeny = [\"inet\", \"tcp\"]":  "p.toml:2:17: deny \"tcp\": a protocol cannot be denied",
		"allow = []\ndeny = [\"all\"]":            "p.toml:2:9: deny \"all\"",
		"deny_errno = \"eperm\"":                  "p.toml:1:14: unknown deny errno \"eperm\"; write eacces or unsupported",
		"deny_errno = 13":                         "p.toml:1:14: deny_errno is an integer; write a string",
		"deny_errno = [\"eacces\"]":               "p.toml:1:1: deny_errno is an array",
		"fds.inherit = \"kep\"":                   "p.toml:1:15: unknown inherit \"kep\"; write check or close or keep",
		"[fds]\nreceive = \"none\"":               "p.toml:2:11: unknown receive \"none\"; write any or policy",
		"ports.bind_tcp = 80":                     "p.toml:1:18: ports.bind_tcp is an integer; write an array of numbers",
		"ports.bind_tcp = [1, 65536]":             "p.toml:1:22: port 65536 is out of range; write 0 to 65535",
		"ports.bind_tcp = [-1]":                   "p.toml:1:19: port -1 is out of range",
		"ports.bind_tcp = [1.5]":                  "an element of ports.bind_tcp is a float",
		"ports.bind_tcp = [\"80\"]":               "p.toml:1:19: \"80\" is no port range; write \"FIRST-LAST\", or a single port as a number",
		"ports.bind_tcp = [\"2-1\"]":              "p.toml:1:19: ports 2-1: the first is above the last",
		"ports.bind_tcp = [\"1-\"]":               "port \"\" is no number",
		"ports.bind_tcp = [\"1-x\"]":              "port \"x\" is no number",
		"ports.bind_tcp = [\"1-70000\"]":          "port 70000 is out of range",
		"ports.bind_tcp = [99999999999999999999]": "p.toml:1:",
		"allow = [\"unix\"":                       "p.toml:1:",
		"allow":                                   "p.toml:1:",
		"allow = [\"unix\"] x":                    "p.toml:1:18: ",
		"allow = [\"un\nix\"]":                    "p.toml:1:",
		"allow = []\n\x00":                        `p.toml:2:1: control character '\x00'; remove it`,
		"# \x1b[31m":                              `p.toml:1:3: control character '\x1b'`,
		"# a\rb":                                  `p.toml:1:4: control character '\r'`,
		"\ufeffallow = []":                        "p.toml:1:1: the policy file begins with a byte order mark",
		"\nallow = [\"\xff\"]":                    "p.toml:2:11: byte 0xff is not UTF-8",
		"allow = [" + strings.Repeat("[", 20_000): "p.toml:1:",
	} {
		_, err := ParsePolicy("p.toml", []byte(text))
		checkError(t, cut(text), err, want)
	}
	_, err := ParsePolicy("a\nb", nil)
	checkError(t, "name", err, `a\nb:1:1: allow is missing`)
}

func TestParsePolicyLimits(t *testing.T) {
	_, err := ParsePolicy("p", slices.Repeat([]byte("# 1234567\n"), 1_000_000))
	checkError(t, "10 MB", err, "p:1:1: the policy file has 10000000 bytes, more than the limit of 1048576 (1 MiB)")
	_, err = ParsePolicy("p", []byte("allow = ["+strings.Repeat(`"inet",`, 100_000)+"]"))
	checkError(t, "100,000 rules", err, "p:1:1: allow has 100000 rules, more than the limit of 10000")
	var b strings.Builder
	for i := range MaxRules {
		b.WriteString(`"packet/*/` + ProtocolName(0, int32(i)) + `",`)
	}
	if p, err := ParsePolicy("p", []byte("allow = ["+b.String()+"]")); err != nil || len(p.Rules) != MaxRules {
		t.Error(len(p.Rules), err)
	}
	_, err = ParsePolicy("p", []byte("deny = [\"packet/raw\"]\nallow = ["+b.String()+"]"))
	checkError(t, "expanded", err, "p:2:1: the policy has 100000 rules")
}

func TestValidate(t *testing.T) {
	for _, test := range []struct {
		p    Policy
		want string
	}{
		{Policy{Rules: []Rule{{255, Any, Any}}}, "family 255 is out of range; use 0 to 254"},
		{Policy{Rules: []Rule{{Any, Any, Any}}}, "family -1 is out of range"},
		{Policy{Rules: []Rule{{1, 255, Any}}}, "type 255 is out of range"},
		{Policy{Rules: []Rule{{1, -2, Any}}}, "type -2 is out of range"},
		{Policy{Rules: []Rule{{1, 1, 65535}}}, "protocol 65535 is out of range"},
		{Policy{Rules: []Rule{{afINET, sockPacket, Any}}}, "write packet/packet"},
		{Policy{Rules: make([]Rule, MaxRules+1)}, "more than the limit"},
		{Policy{Ports: Ports{BindUDP: PortSet{{9, 8}}}}, "ports 9-8"},
		{Policy{DenyErrno: 2}, "DenyErrno(2): no such value"},
		{Policy{FDs: FDs{Inherit: -1}}, "Inherit(-1): no such value"},
		{Policy{FDs: FDs{Receive: 2}}, "Receive(2): no such value"},
	} {
		checkError(t, test.want, test.p.Validate(), test.want)
	}
	if err := (Policy{}).Validate(); err != nil {
		t.Error(err)
	}
}
