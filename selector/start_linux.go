// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

// Start starts cmd restricted to the policy and leaves the calling process as
// it is. The child is forked from an OS thread that is restricted first and
// thrown away afterwards. As with [exec.Cmd.Start], call cmd.Wait later.
//
// What the child would inherit is treated as [engine.FDs] says; with
// [engine.InheritClose] descriptors of this process get close-on-exec, and one
// that cmd itself names is an error.
func Start(p engine.Policy, cmd *exec.Cmd, o Options) (Report, error) {
	plan, err := planHere(p, o, nil)
	if err != nil {
		return Report{}, err
	}
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Pdeathsig != 0 {
		return Report{}, fmt.Errorf("start %s: Pdeathsig is not possible: it would fire when the restricted thread ends, right after the fork", cmd.Path)
	}
	var tried denial
	sys.OnThrowawayThread(func() {
		tried, err = plan.apply(engine.Thread, func() error { return plan.settleChildFDs(cmd) })
		if err == nil {
			err = cmd.Start()
		}
	})
	if err != nil {
		return Report{}, err
	}
	return Report{plan, tried.String()}, nil
}

// settleChildFDs looks at what a child of this process would inherit: the files
// that cmd names, and all that lack close-on-exec.
func (p *Plan) settleChildFDs(cmd *exec.Cmd) error {
	named := map[int]bool{}
	for _, f := range append([]any{cmd.Stdin, cmd.Stdout, cmd.Stderr}, files(cmd)...) {
		if file, ok := f.(*os.File); ok && file != nil {
			conn, err := file.SyscallConn()
			if err != nil {
				return fmt.Errorf("start %s: %w", cmd.Path, err)
			}
			if err := conn.Control(func(fd uintptr) { named[int(fd)] = true }); err != nil {
				return fmt.Errorf("start %s: %w", cmd.Path, err)
			}
		}
	}
	passed := func(fd int) bool { return named[fd] || (fd > 2 && survivesExec(fd)) }
	return p.settleFDs(passed, func(fd int) error {
		if named[fd] {
			return errors.New("cmd passes it on")
		}
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC)
		return err
	})
}

func files(cmd *exec.Cmd) []any {
	out := make([]any, len(cmd.ExtraFiles))
	for i, f := range cmd.ExtraFiles {
		out[i] = f
	}
	return out
}
