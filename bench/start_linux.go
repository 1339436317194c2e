// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// launchers start a sandboxed true. The first is what the others are compared with.
var launchers = []string{
	"sockade run --allow unix -- true",
	"bwrap --dev-bind / / true",
	"landlock-restrict -ro / -- /bin/true", // go-landlock's own
	"landrun --rox / true",
	"firejail --quiet --noprofile --protocol=unix true",
	"true",
}

// launcher is one that works here.
type launcher struct {
	line, path string
	argv       []string
	values     []float64
}

// starts runs each launcher once in every round, in random order.
func (r *run) starts(ctx context.Context) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	var all []*launcher
	for _, line := range launchers {
		l := &launcher{line: line, argv: strings.Fields(line)}
		if l.path, err = findProgram(l.argv[0]); err == nil {
			_, err = l.start(null.Fd())
		}
		if err != nil {
			r.report.Skipped = append(r.report.Skipped, Missing{extraStart, line, err.Error()})
			continue
		}
		all = append(all, l)
	}
	const warmUp = 10
	r.tell(extraStart)
	for round := range warmUp + 3*sizes[r.Size].once {
		for _, i := range r.rnd.Perm(len(all)) {
			took, err := all[i].start(null.Fd())
			if err != nil {
				return err
			}
			if round >= warmUp {
				all[i].values = append(all[i].values, took.Seconds()*1e3)
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for i, l := range all {
		s := Start{Command: l.line, MS: summarize(l.values)}
		if i > 0 {
			c := compare(Variant{State: all[0].argv[0]}, l.values, all[0].values)
			s.Against = &c
		}
		r.report.Starts = append(r.report.Starts, s)
	}
	return nil
}

// findProgram looks beside this program, too.
func findProgram(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed", name)
	}
	return path, nil
}

func (l *launcher) start(null uintptr) (time.Duration, error) {
	begin := time.Now()
	pid, err := syscall.ForkExec(l.path, l.argv, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{null, null, null}})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", l.line, err)
	}
	if err := await(pid); err != nil {
		return 0, fmt.Errorf("%s: %w", l.line, err)
	}
	return time.Since(begin), nil
}
