// SPDX-License-Identifier: Apache-2.0

package engine

import "strconv"

// Errno is a Linux errno by its asm-generic number
// (include/uapi/asm-generic/errno.h), which x86, arm, arm64 and riscv share.
// It stands for itself on every GOOS, so that the reference builds anywhere.
type Errno uint16

// The errnos that a verdict or a backend can give.
const (
	EPERM           Errno = 1
	EACCES          Errno = 13
	EINVAL          Errno = 22
	EPROTONOSUPPORT Errno = 93
	ESOCKTNOSUPPORT Errno = 94
	EOPNOTSUPP      Errno = 95
	EAFNOSUPPORT    Errno = 97
)

// String returns the symbol, or "errno N" for a number without one here.
func (e Errno) String() string {
	switch e {
	case EPERM:
		return "EPERM"
	case EACCES:
		return "EACCES"
	case EINVAL:
		return "EINVAL"
	case EPROTONOSUPPORT:
		return "EPROTONOSUPPORT"
	case ESOCKTNOSUPPORT:
		return "ESOCKTNOSUPPORT"
	case EOPNOTSUPP:
		return "EOPNOTSUPP"
	case EAFNOSUPPORT:
		return "EAFNOSUPPORT"
	}
	return "errno " + strconv.Itoa(int(e))
}
