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

// NoNewPrivsError is a filter that was not loaded, since no_new_privs was not to be had.
type NoNewPrivsError struct{ Errno unix.Errno }

func (e *NoNewPrivsError) Error() string { return "set no_new_privs: " + e.Errno.Error() }

// SeccompFilter sets no_new_privs and calls seccomp(SECCOMP_SET_MODE_FILTER). Both
// happen on the same OS thread, whether the caller has locked one or not: the kernel
// takes filters of root from a thread without no_new_privs too, and then
// SECCOMP_FILTER_FLAG_TSYNC would not give it to the others.
func SeccompFilter(prog []bpf.RawInstruction, flags uintptr) error {
	fprog, err := sockFprog(prog)
	if err != nil {
		return err
	}
	calls := []Call{
		{Nr: unix.SYS_PRCTL, Args: [6]uintptr{unix.PR_SET_NO_NEW_PRIVS, 1}},
		{Nr: unix.SYS_SECCOMP, Args: [6]uintptr{unix.SECCOMP_SET_MODE_FILTER, flags, Pointer(fprog)}},
	}
	together(&calls[0], len(calls))
	runtime.KeepAlive(fprog)
	if errno := calls[0].Errno(); errno != 0 {
		return &NoNewPrivsError{errno}
	}
	if errno := calls[1].Errno(); errno != 0 {
		return errno
	}
	if r := calls[1].Result; r != 0 { // SECCOMP_FILTER_FLAG_TSYNC returns the offender's id
		return &ThreadError{TID: r}
	}
	return nil
}

// TryFilter loads the filter [Elsewhere] and makes a socket(2) call under it:
// the errnos of both. It sets no_new_privs there, without which only root could
// load one, and fails where that does.
func TryFilter(prog []bpf.RawInstruction, family, typ, protocol int32) (load, socket unix.Errno, err error) {
	fprog, err := sockFprog(prog)
	if err != nil {
		return 0, 0, err
	}
	calls := []Call{
		{Nr: unix.SYS_PRCTL, Args: [6]uintptr{unix.PR_SET_NO_NEW_PRIVS, 1}},
		{Nr: unix.SYS_SECCOMP, Args: [6]uintptr{unix.SECCOMP_SET_MODE_FILTER, 0, Pointer(fprog)}},
		{Nr: unix.SYS_SOCKET, Args: [6]uintptr{uintptr(family), uintptr(typ), uintptr(protocol)}},
	}
	err = Elsewhere(calls)
	runtime.KeepAlive(fprog)
	if errno := calls[0].Errno(); err == nil && errno != 0 {
		return 0, 0, &NoNewPrivsError{errno}
	}
	return calls[1].Errno(), calls[2].Errno(), err
}

func sockFprog(prog []bpf.RawInstruction) (*unix.SockFprog, error) {
	if len(prog) == 0 || len(prog) > 4096 {
		return nil, unix.EINVAL
	}
	// The same struct by another name: u16 code, u8 jt and jf, u32 k.
	return &unix.SockFprog{Len: uint16(len(prog)), Filter: (*unix.SockFilter)(unsafe.Pointer(&prog[0]))}, nil
}
