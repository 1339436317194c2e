// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"

	"golang.org/x/sys/unix"
)

var errNoVfork = errors.New("no vfork")

// vforkCalls makes the calls in a child that shares the memory of this process,
// which stands still meanwhile, and returns the child's pid or -errno. It takes
// a tenth of the time of an OS thread that the Go runtime would start and end.
//
//go:noescape
func vforkCalls(calls *Call, n int) (pid int)

func inVfork(calls []Call) error {
	pid := vforkCalls(&calls[0], len(calls))
	if pid < 0 { // EPERM, EAGAIN: an outer sandbox or a limit on processes
		return errNoVfork
	}
	for {
		var status unix.WaitStatus
		_, err := unix.Wait4(pid, &status, unix.WALL, nil)
		if err != unix.EINTR {
			if err != nil { // SIGCHLD is ignored: the child was reaped by the kernel
				return nil
			}
			return ended(status)
		}
	}
}
