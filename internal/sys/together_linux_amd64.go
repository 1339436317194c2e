// SPDX-License-Identifier: Apache-2.0

package sys

// together makes the calls on one OS thread, up to the first that fails. To lock a
// goroutine to its thread would do as well, but the Go runtime then starts another
// thread, which is a twentieth of a start of sockade.
//
//go:noescape
func together(calls *Call, n int)
