// SPDX-License-Identifier: Apache-2.0

//go:build linux && !amd64

package sys

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// together makes the calls on one OS thread, up to the first that fails.
func together(calls *Call, n int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := range unsafe.Slice(calls, n) {
		c := &unsafe.Slice(calls, n)[i]
		r, _, errno := unix.RawSyscall6(c.Nr, c.Args[0], c.Args[1], c.Args[2], c.Args[3], c.Args[4], c.Args[5])
		if c.Result = int(r); errno != 0 {
			c.Result = -int(errno)
			return
		}
	}
}
