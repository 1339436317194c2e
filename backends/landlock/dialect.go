// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"encoding/binary"

	"github.com/sockade/sockade/engine"
)

// What all proposals have in common.
const (
	ruleSocket   = 3      // LANDLOCK_RULE_SOCKET
	socketCreate = 1 << 0 // LANDLOCK_ACCESS_SOCKET_CREATE
	anyValue     = -1     // of a type or protocol
)

// dialect is a proposal of how a ruleset says that it handles the creation of sockets.
type dialect struct {
	name string
	// handle sets that in a struct landlock_ruleset_attr of the size that the kernel
	// knows; false if the struct is none of this dialect.
	handle func(attr []byte) bool
	// rule is what landlock_add_rule(2) takes to allow a triple.
	rule func(family, typ, protocol int32) []byte
}

// dialects are all that are known; a new one is one more file.
var dialects = []dialect{rfc4, tail}

// feature is what a probe says of a kernel with the dialect.
func (d dialect) feature() engine.Feature { return engine.Feature("socket-rules-" + d.name) }

// dialectOf returns the dialect of a kernel, nil where it has no socket rules.
func dialectOf(s engine.Support) *dialect {
	for i, d := range dialects {
		if s.Has(d.feature()) {
			return &dialects[i]
		}
	}
	return nil
}

// socketAttr is a struct landlock_socket_attr: packed, u64 allowed_access, s32 family,
// s32 type, s32 protocol.
func socketAttr(family, typ, protocol int32) []byte {
	b := make([]byte, 0, 20)
	b = binary.NativeEndian.AppendUint64(b, socketCreate)
	for _, v := range []int32{family, typ, protocol} {
		b = binary.NativeEndian.AppendUint32(b, uint32(v))
	}
	return b
}
