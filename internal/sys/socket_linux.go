// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"sort"

	"golang.org/x/sys/unix"
)

// TrySocket calls socket(2) with just these arguments on the calling thread,
// closes what it made and returns the errno, 0 for none.
func TrySocket(family, typ, protocol int32) unix.Errno {
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), uintptr(typ), uintptr(protocol))
	if errno == 0 {
		_ = unix.Close(int(fd))
	}
	return errno
}

// SocketLimits finds the running kernel's AF_MAX and SOCK_MAX by the errnos of
// requests that cannot create anything: the family is checked before the type
// (__sock_create in net/socket.c). It looks at the likely values first. Where
// something hides the kernel's errnos it returns these, and exact is false.
func SocketLimits(likelyAFMax, likelySockMax int32) (afMax, sockMax int32, exact bool) {
	const bound, badType = 256, 15
	exact = true
	try := func(family, typ int, end unix.Errno, before ...unix.Errno) bool {
		errno := TrySocket(int32(family), int32(typ), 0)
		if errno == end {
			return true
		}
		for _, b := range before {
			if errno == b {
				return false
			}
		}
		exact = false
		return false
	}
	afMax = int32(first(bound, int(likelyAFMax), func(f int) bool { return try(f, badType, unix.EAFNOSUPPORT, unix.EINVAL) }))
	// AF_UNSPEC is never registered: a type that exists gets EAFNOSUPPORT, or
	// EACCES from a sandbox around this one.
	sockMax = int32(first(badType, int(likelySockMax), func(t int) bool { return try(0, t, unix.EINVAL, unix.EAFNOSUPPORT, unix.EACCES) }))
	if !exact || afMax == bound || sockMax == 0 {
		return likelyAFMax, likelySockMax, false
	}
	return afMax, sockMax, true
}

// first returns the first number below n from which on f holds, n if there is
// none. Two calls tell whether it is the likely one.
func first(n, likely int, f func(int) bool) int {
	if f(likely) && !f(likely-1) {
		return likely
	}
	return sort.Search(n, f)
}
