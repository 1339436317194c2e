// SPDX-License-Identifier: Apache-2.0

package landlock

import "encoding/binary"

// tail is what was agreed on in their review: handled_access_socket comes after all that
// the kernel had before. Where that is depends on the kernel, and on a released one there
// is another field, which means that it accepts this too (quiet_access_fs and later).
var tail = dialect{
	name: "tail",
	handle: func(attr []byte) bool {
		const scoped = 16 // the last field before it, at the least
		offset := len(attr) - 8
		if offset <= scoped {
			return false
		}
		binary.NativeEndian.PutUint64(attr[offset:], socketCreate)
		return true
	},
	rule: socketAttr,
}
