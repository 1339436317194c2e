// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package seccomp

import (
	"errors"

	"github.com/sockade/sockade/engine"
)

// Enforce implements [engine.Layer].
func (layer) Enforce(engine.Scope) error {
	return errors.New("seccomp: filters exist on Linux only")
}

func probe(engine.Depth) engine.Support {
	return engine.Support{Reason: "seccomp filters exist on Linux only"}
}
