// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package selector

import (
	"errors"
	"os/exec"

	"github.com/sockade/sockade/engine"
)

var errLinux = errors.New("sockade restricts sockets on Linux only")

// Report says what is in force.
type Report struct{ Plan }

// Restrict restricts the calling process, on Linux.
func Restrict(engine.Policy, Options) (Report, error) { return Report{}, errLinux }

// Start starts a restricted child, on Linux.
func Start(engine.Policy, *exec.Cmd, Options) (Report, error) { return Report{}, errLinux }

// Exec replaces the process by a restricted program, on Linux.
func (*Plan) Exec(string, []string, []string) error { return errLinux }
