// SPDX-License-Identifier: Apache-2.0

// Package conformance holds backends to the reference on the running kernel.
//
// For every backend and reference policy a child process is restricted and
// issues requests through every entry to socket creation: native, i386,
// socketcall, x32, io_uring. Each errno is compared with what
// [engine.Policy.Decide] says, and for allowed requests with what a child
// without a sandbox got.
//
//	conformance.Main(backends) // first in main or TestMain: children start here
//	report, err := conformance.Run(ctx, conformance.Config{Backends: backends})
//
// The requests are in space.go, the policies in policies.go, the entries in
// entry_linux.go, the child in child_linux.go, the parent in run_linux.go.
package conformance
