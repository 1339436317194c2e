// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// LandlockABI returns the kernel's version of Landlock's interface. ENOSYS is a kernel
// without Landlock, EOPNOTSUPP one that has it switched off.
func LandlockABI() (int, unix.Errno) {
	const version = 1 << 0 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	return int(abi), errno
}

// LandlockRuleset calls landlock_create_ruleset(2) with the bytes of a struct
// landlock_ruleset_attr.
func LandlockRuleset(attr []byte) (fd int, errno unix.Errno) {
	r, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(unsafe.SliceData(attr))), uintptr(len(attr)), 0)
	runtime.KeepAlive(attr)
	return int(r), errno
}

// LandlockRule calls landlock_add_rule(2) with the bytes of a rule of the type.
func LandlockRule(fd, ruleType int, rule []byte) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(fd), uintptr(ruleType), uintptr(unsafe.Pointer(unsafe.SliceData(rule))), 0, 0, 0)
	runtime.KeepAlive(rule)
	return errno
}

// LandlockRestrict sets no_new_privs and calls landlock_restrict_self(2), both on one
// OS thread, whether the caller has locked it or not.
func LandlockRestrict(fd int, flags uintptr) error {
	calls := LandlockCalls(fd, flags)
	together(&calls[0], len(calls))
	if errno := calls[0].Errno(); errno != 0 {
		return &NoNewPrivsError{errno}
	}
	if errno := calls[1].Errno(); errno != 0 {
		return errno
	}
	return nil
}

// LandlockCalls are the calls that put a task into a domain.
func LandlockCalls(fd int, flags uintptr) []Call {
	return []Call{
		{Nr: unix.SYS_PRCTL, Args: [6]uintptr{unix.PR_SET_NO_NEW_PRIVS, 1}},
		{Nr: unix.SYS_LANDLOCK_RESTRICT_SELF, Args: [6]uintptr{uintptr(fd), flags}},
	}
}
