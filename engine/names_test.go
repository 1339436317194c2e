// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestNamesGolden(t *testing.T) {
	var b strings.Builder
	for family := int32(0); family <= knownFamilies; family++ {
		fmt.Fprintf(&b, "family %d %s\n", family, FamilyName(family))
		for _, n := range protocolNames(family) {
			fmt.Fprintf(&b, "protocol %d/%d %s\n", family, n.number, n.name)
		}
	}
	for typ := int32(0); typ <= TypeMask; typ++ {
		fmt.Fprintf(&b, "type %d %s\n", typ, TypeName(typ))
	}
	const golden = "testdata/names.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("names differ from %s; run with -update and look at the diff:\n%s", golden, b.String())
	}
}

// TestNamesAreUnique holds the tables to what parsing needs of them: a name
// stands for one number, is lower case and cannot be taken for a number.
func TestNamesAreUnique(t *testing.T) {
	tables := map[string][]named{"families": append(bundleNames(), familyNames...), "types": typeNames}
	for family := range knownFamilies {
		tables[FamilyName(family)] = protocolNames(family)
	}
	for where, table := range tables {
		seen := map[string]bool{}
		for _, n := range table {
			if _, number := parseNumber(n.name); number || seen[n.name] || lower(n.name) != n.name {
				t.Errorf("%s: %q", where, n.name)
			}
			seen[n.name] = true
		}
	}
}

func TestRequestString(t *testing.T) {
	for _, test := range []struct {
		r    Request
		want string
	}{
		{Request{afINET, sockStream | SockCloexec, protoTCP}, "inet/stream|cloexec/tcp"},
		{Request{afUNIX, sockDgram | TypeFlags, 0}, "unix/dgram|nonblock|cloexec/0"},
		{Request{afPacket, sockRaw | 0x100, 0x300}, "packet/raw|0x100/0x0300"},
		{Request{-1, 15, -1}, "-1/15/-1"},
		{Request{afPacket, sockRaw, -1}, "packet/raw/0xffffffff"},
		{Request{200, -1 << 31, 7}, "200/0|0x80000000/7"},
		{Request{afNetlink, sockRaw, 0}, "netlink/raw/route"},
	} {
		if got := test.r.String(); got != test.want {
			t.Errorf("%#v: %s, want %s", test.r, got, test.want)
		}
	}
}
