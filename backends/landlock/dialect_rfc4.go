// SPDX-License-Identifier: Apache-2.0

package landlock

import "encoding/binary"

// rfc4 is the fourth version of the patches on the Landlock mailing list (November 2025):
// handled_access_socket is between handled_access_net and scoped. On released kernels
// those eight bytes are scoped, so that they accept it and restrict something else.
var rfc4 = dialect{
	name: "rfc4",
	handle: func(attr []byte) bool {
		const offset, size = 16, 32
		if len(attr) != size {
			return false
		}
		binary.NativeEndian.PutUint64(attr[offset:], socketCreate)
		return true
	},
	rule: socketAttr,
}
