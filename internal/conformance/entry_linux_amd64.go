// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

const (
	x32Bit = 1 << 30

	i386Getpid     = 20 // arch/x86/entry/syscalls/syscall_32.tbl
	i386Socketcall = 102
	i386Socket     = 359
	i386Socketpair = 360
)

func archEntries() []entry {
	return []entry{
		{name: "i386 socket", thin: 7, setup: i386(i386Socket, false)},
		{name: "i386 socketpair", thin: 17, pair: true, setup: i386(i386Socketpair, true)},
		{name: "socketcall SYS_SOCKET", thin: 17, finding: engine.FindingSocketcall, setup: socketcall(1, false)},
		{name: "socketcall SYS_SOCKETPAIR", thin: 29, pair: true, finding: engine.FindingSocketcall, setup: socketcall(8, true)},
		{name: "x32 socket", thin: 7, setup: x32(unix.SYS_SOCKET, false)},
		{name: "x32 socketpair", thin: 17, pair: true, setup: x32(unix.SYS_SOCKETPAIR, true)},
	}
}

func x32(nr uintptr, pair bool) func(*made) (func(request) unix.Errno, string) {
	return func(m *made) (func(request) unix.Errno, string) {
		if _, _, errno := unix.RawSyscall(unix.SYS_GETPID|x32Bit, 0, 0, 0); errno != 0 {
			return nil, "this kernel has no x32 system calls (CONFIG_X86_X32_ABI, syscall.x32=y)"
		}
		return native(nr|x32Bit, pair)(m)
	}
}

func i386(nr uintptr, pair bool) func(*made) (func(request) unix.Errno, string) {
	return int80(pair, func(r request, _ []uint32, sv uintptr) int32 {
		return sys.Int80(nr, r.arg(r.Family), r.arg(r.Type), r.arg(r.Protocol), uintptr(r.upper)<<32|sv, 0, 0)
	})
}

func socketcall(call int32, pair bool) func(*made) (func(request) unix.Errno, string) {
	return int80(pair, func(r request, words []uint32, sv uintptr) int32 {
		const block = 16 // words; the results are in front
		args := words[block : block+4]
		args[0], args[1], args[2], args[3] = uint32(r.Family), uint32(r.Type), uint32(r.Protocol), uint32(sv)
		return sys.Int80(i386Socketcall, r.arg(call), uintptr(r.upper)<<32|(sv+4*block), 0, 0, 0, 0)
	})
}

func int80(pair bool, issue func(r request, words []uint32, sv uintptr) int32) func(*made) (func(request) unix.Errno, string) {
	return func(m *made) (func(request) unix.Errno, string) {
		words, addr, err := sys.LowMemory()
		if err != nil {
			return nil, "no memory below 4 GiB: " + err.Error()
		}
		return func(r request) unix.Errno {
			ret := issue(r, words, addr)
			if ret < 0 {
				return unix.Errno(-ret)
			}
			if pair {
				m.add(words[0], words[1])
			} else {
				m.add(uint32(ret))
			}
			return 0
		}, ""
	}
}

// tryInt80 makes one i386 call; on a kernel without them the process is killed.
func tryInt80() { sys.Int80(i386Getpid, 0, 0, 0, 0, 0, 0) }

// needsInt80 tells the entries that [tryInt80] has to succeed for.
func needsInt80(name string) bool {
	switch name {
	case "i386 socket", "i386 socketpair", "socketcall SYS_SOCKET", "socketcall SYS_SOCKETPAIR":
		return true
	}
	return false
}
