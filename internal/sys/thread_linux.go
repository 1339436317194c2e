// SPDX-License-Identifier: Apache-2.0

package sys

import "golang.org/x/sys/unix"

func isLeader() bool { return unix.Gettid() == unix.Getpid() }

// threadGone returns a test for whether the calling thread has ended.
func threadGone() func() bool {
	pid, tid := unix.Getpid(), unix.Gettid()
	return func() bool { return unix.Tgkill(pid, tid, 0) != nil }
}
