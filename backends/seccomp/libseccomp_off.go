// SPDX-License-Identifier: Apache-2.0

//go:build !libseccomp || !linux || !cgo

package seccomp

import "github.com/sockade/sockade/engine"

// NewLibseccomp returns the backend whose filter libseccomp compiles. This
// build has it without the compiler, so it is never available.
func NewLibseccomp() engine.Backend {
	return backend{
		name: "libseccomp", compile: compile, ring: compileRing,
		missing: "not in this build: it takes cgo, libseccomp's headers and go build -tags libseccomp",
	}
}
