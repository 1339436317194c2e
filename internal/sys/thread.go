// SPDX-License-Identifier: Apache-2.0

package sys

import "runtime"

// OnThrowawayThread runs f on an OS thread that ends with it, and waits for
// both. What f does to its thread (no_new_privs, filters, domains) is gone
// afterwards: a thread that still had it could not be synchronised with others.
func OnThrowawayThread(f func()) {
	done := make(chan func() bool)
	go func() {
		runtime.LockOSThread()
		if isLeader() {
			// The first thread of a process cannot end before it: hold it while
			// f runs on another one.
			OnThrowawayThread(f)
			runtime.UnlockOSThread()
			done <- func() bool { return true }
			return
		}
		f()
		done <- threadGone()
	}()
	for gone := <-done; !gone(); {
		runtime.Gosched()
	}
}
