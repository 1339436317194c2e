// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ThreadError names the thread that a filter could not be synchronised to.
type ThreadError struct{ TID int }

func (e *ThreadError) Error() string { return fmt.Sprintf("thread %d has a different filter", e.TID) }

// SeccompFilter calls seccomp(SECCOMP_SET_MODE_FILTER) for the calling thread.
func SeccompFilter(prog []bpf.RawInstruction, flags uintptr) error {
	if len(prog) == 0 || len(prog) > 4096 {
		return unix.EINVAL
	}
	filter := make([]unix.SockFilter, len(prog))
	for i, in := range prog {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	r, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	if r != 0 { // SECCOMP_FILTER_FLAG_TSYNC returns the offender's id
		return &ThreadError{TID: int(r)}
	}
	return nil
}
