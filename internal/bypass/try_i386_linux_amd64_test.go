// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

// int80 makes a step of a system call of the i386 table. A pointer among the
// arguments is 32 bits wide.
func int80(nr, a, b, c, d uintptr) func() (string, error) {
	return func() (string, error) { return seenInt80(sys.Int80(nr, a, b, c, d, 0, 0)) }
}

// int80Words is int80 with a pointer to words after the first argument.
func int80Words(nr, a uintptr, words ...uint32) func() (string, error) {
	return func() (string, error) {
		page, addr, err := sys.LowMemory()
		if err != nil {
			return "", err
		}
		for i, w := range words {
			if w == ptr { // to the second half of the page
				w = uint32(addr) + 2048
			}
			page[i] = w
		}
		return seenInt80(sys.Int80(nr, a, addr, 0, 0, 0, 0))
	}
}

// int80Pair is int80 for socketpair.
func int80Pair() (string, error) {
	_, addr, err := sys.LowMemory()
	if err != nil {
		return "", err
	}
	return int80(i386Socketpair, unix.AF_UNIX, unix.SOCK_STREAM, 0, addr)()
}

func seenInt80(r int32) (string, error) { return seen(unix.Errno(max(0, -r))) }

// attachInt80 is attach by the i386 call.
var attachInt80 = attach(func(pid int) error {
	if r := sys.Int80(i386Ptrace, unix.PTRACE_ATTACH, uintptr(pid), 0, 0, 0, 0); r < 0 {
		return unix.Errno(-r)
	}
	return nil
})

// int80Works is the child of needInt80: a harmless call, which kills the
// process on a kernel without the table.
func int80Works([]byte) (any, error) { return sys.Int80(i386Getpid, 0, 0, 0, 0, 0, 0), nil }

// needInt80 is for ways through the i386 table.
func needInt80(bool) (capability, missing, fix string) {
	if err := testutil.Run(testutil.Child{Name: "int80"}, nil); err != nil {
		missing = "int 0x80 kills the process"
	}
	return "i386", missing, "boot a kernel with CONFIG_IA32_EMULATION and without ia32_emulation=0"
}
