// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"fmt"
	"syscall"

	"github.com/sockade/sockade/engine"
)

// ExecError is an execve that failed after the plan was applied.
type ExecError struct {
	Path string
	Err  error
}

func (e *ExecError) Error() string { return fmt.Sprintf("exec %s: %v", e.Path, e.Err) }

// Unwrap returns the errno of execve(2).
func (e *ExecError) Unwrap() error { return e.Err }

// Exec applies the plan to the process and replaces it by the program at path,
// like execve(2). It returns only with an error: an [ExecError] when the
// restricted process could not execute the program, any other when nothing was
// started.
//
// It is for launchers: no other goroutine may open files meanwhile, and no thread
// may have a descriptor table of its own (unshare(CLONE_FILES)).
func (p *Plan) Exec(path string, argv, env []string) error {
	_, err := p.apply(engine.Exec, func() error { return p.settleFDs(survivesExec, closeFD) })
	if err != nil {
		return err
	}
	return &ExecError{path, syscall.Exec(path, argv, env)}
}
