// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// LowMemory returns a zeroed page that 32-bit system calls can point to, as
// words, and its address. It stays mapped.
func LowMemory() (words []uint32, addr uintptr, err error) {
	const map32Bit = 0x40 // MAP_32BIT, x86 only; elsewhere there are no 32-bit calls to make
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|map32Bit)
	if err != nil {
		return nil, 0, err
	}
	p := unsafe.Pointer(&page[0])
	return unsafe.Slice((*uint32)(p), 1024), uintptr(p), nil
}
