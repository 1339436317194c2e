// SPDX-License-Identifier: Apache-2.0

//go:build libseccomp && linux && cgo

package bench

import (
	"fmt"

	libseccomp "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

const noSystemd = ""

// loadSystemd loads a filter as systemd makes it of a list of address families
// (seccomp_restrict_address_families in src/shared/seccomp-util.c): a rule for all below
// the first, one for all above the last, and one for each between them that is denied.
func loadSystemd() error {
	f, err := libseccomp.NewFilter(libseccomp.ActAllow)
	if err != nil {
		return fmt.Errorf("new filter: %w", err)
	}
	defer f.Release()
	call, err := libseccomp.GetSyscallFromName("socket")
	if err != nil {
		return fmt.Errorf("find socket: %w", err)
	}
	deny := func(how libseccomp.ScmpCompareOp, family uint64) {
		condition, failed := libseccomp.MakeCondition(0, how, family)
		if failed == nil {
			failed = f.AddRuleConditional(call, libseccomp.ActErrno.SetReturnCode(int16(unix.EAFNOSUPPORT)), []libseccomp.ScmpCondition{condition})
		}
		if failed != nil {
			err = failed
		}
	}
	deny(libseccomp.CompareLess, afUnix)
	deny(libseccomp.CompareGreater, afNetlink)
	for family := uint64(afUnix); family < afNetlink; family++ {
		if family != afUnix && family != afInet && family != afInet6 {
			deny(libseccomp.CompareEqual, family)
		}
	}
	if err != nil {
		return fmt.Errorf("add rule: %w", err)
	}
	if err := f.Load(); err != nil {
		return fmt.Errorf("load filter: %w", err)
	}
	return nil
}
