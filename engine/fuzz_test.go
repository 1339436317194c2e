// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"
)

// isLine fails unless the error is one printable line.
func isLine(t *testing.T, err error) {
	t.Helper()
	if text := err.Error(); text == "" || oneLine(text) != text {
		t.Fatalf("not one line: %q", text)
	}
}

func FuzzParseRule(f *testing.F) {
	for _, seed := range []string{"inet/stream/tcp", "packet/raw/0x0300", "*", "inet/*/*", "inet/", "254/254/65534", " unix ", "\x00", "inet/packet"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := ParseRule(text)
		if err != nil {
			isLine(t, err)
			if rule != (Rule{}) {
				t.Fatalf("%+v beside %v", rule, err)
			}
			return
		}
		if again, err := ParseRule(rule.String()); err != nil || again != rule {
			t.Fatalf("%q: %+v, printed %s, parsed %+v %v", text, rule, rule, again, err)
		}
	})
}

func FuzzParsePolicy(f *testing.F) {
	for _, seed := range []string{
		`allow = ["unix", "tcp", "netlink/raw/route"]`,
		"allow = [\"all\"]\ndeny = [\"alg\", \"inet/raw\"]\ndeny_errno = \"unsupported\"",
		"allow = []\n[ports]\nconnect_tcp = [443, \"8000-8100\"]\nbind_udp = []\n[fds]\ninherit = \"keep\"",
		"allow = []\nports = {bind_tcp = [0x50]}\nfds.receive = 'policy'",
		"allow = [\"none\", 1]", "[[ports]]", "allow = \"\"\"\n\"\"\"", "a.'b\\n'.\"\\n\" = 1979-05-27T07:32:00Z",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		policy, err := ParsePolicy("f", text)
		if err != nil {
			isLine(t, err)
			if !strings.HasPrefix(err.Error(), "f:") || !policy.Equal(Policy{}) {
				t.Fatalf("%v, %+v", err, policy)
			}
			return
		}
		if err := policy.Validate(); err != nil {
			t.Fatal(err)
		}
		if again, err := ParsePolicy("f", []byte(policy.TOML())); err != nil || !again.Equal(policy) {
			t.Fatalf("%+v\n%s%+v %v", policy, policy.TOML(), again, err)
		}
	})
}
