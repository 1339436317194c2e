// SPDX-License-Identifier: Apache-2.0

package testkernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
)

// otherEntries asks for a stream socket of the family by the calls of i386 and x32.
func otherEntries(t *testing.T, family uintptr) map[string]unix.Errno {
	const i386Socketcall, i386Socket, callSocket, x32Bit = 102, 359, 1, 1 << 30
	words, addr, err := sys.LowMemory()
	if err != nil {
		t.Error(err)
		return nil
	}
	words[0], words[1], words[2] = uint32(family), unix.SOCK_STREAM, 0
	out := map[string]unix.Errno{}
	take := func(name string, r int32) {
		out[name] = unix.Errno(max(0, -r))
		if r >= 0 {
			_ = unix.Close(int(r))
		}
	}
	take("int 0x80 socket", sys.Int80(i386Socket, family, unix.SOCK_STREAM, 0, 0, 0, 0))
	take("int 0x80 socketcall", sys.Int80(i386Socketcall, callSocket, addr, 0, 0, 0, 0))
	r, _, errno := unix.RawSyscall(unix.SYS_SOCKET|x32Bit, family, unix.SOCK_STREAM, 0)
	if errno != 0 {
		r = -uintptr(errno)
	}
	take("x32 socket", int32(r))
	return out
}
