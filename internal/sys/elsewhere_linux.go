// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is one system call of [Elsewhere]. Result is what the kernel returned,
// -errno on failure. The layout is known to elsewhere_linux_amd64.s.
type Call struct {
	Nr     uintptr
	Args   [6]uintptr
	Result int
}

// Errno is the errno of a call that was made, 0 for none.
func (c Call) Errno() unix.Errno {
	if c.Result < 0 && c.Result > -4096 {
		return unix.Errno(-c.Result)
	}
	return 0
}

// Pointer makes an argument of a pointer, and has what it points to on the heap,
// where it does not move. The caller keeps it alive until the calls are made.
func Pointer[T any](p *T) uintptr {
	atomic.StorePointer(&onHeap, unsafe.Pointer(p))
	return uintptr(unsafe.Pointer(p))
}

var onHeap unsafe.Pointer

// Elsewhere makes the calls one after the other, whatever they return, in a
// task that is gone afterwards with all that they did to it: no_new_privs,
// filters, domains. A call that was not made has the result -ENOSYS.
func Elsewhere(calls []Call) error {
	for i := range calls {
		calls[i].Result = -int(unix.ENOSYS)
	}
	err := inVfork(calls)
	if !errors.Is(err, errNoVfork) {
		return err
	}
	OnThrowawayThread(func() {
		for i := range calls {
			c := &calls[i]
			r, _, errno := unix.RawSyscall6(c.Nr, c.Args[0], c.Args[1], c.Args[2], c.Args[3], c.Args[4], c.Args[5])
			if c.Result = int(r); errno != 0 {
				c.Result = -int(errno)
			}
		}
	})
	return nil
}

// ended turns the status of the vforked task into an error.
func ended(status unix.WaitStatus) error {
	if status.Signaled() {
		return fmt.Errorf("the kernel ended a task that tried it: %v", status.Signal())
	}
	return nil
}
