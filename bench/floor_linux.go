// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/cbpf"
	"github.com/sockade/sockade/internal/sys"
)

// offsets in struct seccomp_data (linux/seccomp.h).
const (
	offFamily   = 16
	offProtocol = 32
)

// loadFloor returns what loads one of the seccomp filters to compare with.
func loadFloor(name string) func() error {
	return func() error {
		var b cbpf.Builder
		allow := b.Ret(cbpf.RetAllow)
		switch name {
		case floorArgument:
			// The builder would drop a load of which nothing follows.
			return sys.SeccompFilter(cbpf.Program{{Op: 0x20, K: offFamily}, {Op: 0x06, K: cbpf.RetAllow}}, 0)
		case floorDeny:
			allow = b.Load(offProtocol, b.Jump(cbpf.JEQ, deniedProtocol, b.Ret(cbpf.RetErrno(uint16(unix.EACCES))), allow))
		}
		prog, err := b.Assemble(allow)
		if err != nil {
			return err
		}
		return sys.SeccompFilter(prog, 0)
	}
}

// enterLandlock enters a domain in which no block devices can be made.
func enterLandlock() error {
	attr := &[1]uint64{unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK}
	fd, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, sys.Pointer(attr), 8, 0)
	if errno != 0 {
		return fmt.Errorf("landlock_create_ruleset: %w", errno)
	}
	defer unix.Close(int(fd))
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return fmt.Errorf("landlock_restrict_self: %w", errno)
	}
	return nil
}

// landlockABI asks the kernel for its version.
func landlockABI() (int, error) {
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	if errno != 0 {
		return 0, fmt.Errorf("this kernel has no Landlock, or it is off: %w: boot with landlock in lsm=", errno)
	}
	return int(abi), nil
}
