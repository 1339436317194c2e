// SPDX-License-Identifier: Apache-2.0

package seccomp

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
	"github.com/sockade/sockade/internal/sys"
)

// Enforce implements [engine.Layer]. It sets no_new_privs, without which a
// filter would need CAP_SYS_ADMIN and a setuid program could be confused by it.
func (l layer) Enforce(scope engine.Scope) error {
	if err := cbpf.Check(l.prog); err != nil {
		return fmt.Errorf("BUG(seccomp): filter that the kernel would refuse: %w", err)
	}
	if l.ring != nil {
		if scope == engine.Process {
			return errors.New("BUG(seccomp): a filter of io_uring is for one thread and what comes from it")
		}
		if scope == engine.Exec {
			runtime.LockOSThread()
			scope = engine.Thread
		}
		if err := loadRing(l.ring); err != nil {
			return err
		}
	}
	switch scope {
	case engine.Thread:
		return explainLoad("the calling thread", len(l.prog), sys.SeccompFilter(l.prog, 0))
	case engine.Process:
		return explainLoad("all threads", len(l.prog), loadBeside(l.prog))
	default:
		return explainLoad("all threads", len(l.prog), sys.SeccompFilter(l.prog, unix.SECCOMP_FILTER_FLAG_TSYNC))
	}
}

// loadBeside loads a filter for all threads, from one that ends. no_new_privs cannot
// be taken back: where the kernel refuses the filter it ends with that thread.
func loadBeside(prog cbpf.Program) (err error) {
	sys.OnThrowawayThread(func() { err = sys.SeccompFilter(prog, unix.SECCOMP_FILTER_FLAG_TSYNC) })
	return err
}

// loadRing loads a filter of io_uring for the calling thread, which is locked.
func loadRing(ring cbpf.Program) error {
	if err := cbpf.CheckRing(ring); err != nil {
		return fmt.Errorf("BUG(seccomp): filter of io_uring that the kernel would refuse: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return explainNoNewPrivs(err)
	}
	if err := sys.RingFilter(ring); err != nil {
		return fmt.Errorf("seccomp: load filter of io_uring: %w: use another backend", err)
	}
	return nil
}

func explainNoNewPrivs(err error) error {
	return fmt.Errorf("seccomp: set no_new_privs: %w: an outer sandbox denies prctl(2), and a filter takes it: run sockade outside", err)
}

// explainLoad adds what the errnos of seccomp(2) mean for somebody who loads a
// filter that has passed the kernel's checks.
func explainLoad(who string, length int, err error) error {
	if err == nil {
		return nil
	}
	if noNewPrivs := (*sys.NoNewPrivsError)(nil); errors.As(err, &noNewPrivs) {
		return explainNoNewPrivs(noNewPrivs.Errno)
	}
	var thread *sys.ThreadError
	hint := ""
	switch {
	case errors.As(err, &thread):
		hint = "; it has a filter of its own: restrict before starting threads that filter themselves"
	case errors.Is(err, unix.ENOMEM):
		// The kernel counts after its conversion to eBPF, which has more of them.
		hint = fmt.Sprintf("; all filters of a task together may have 32768 eBPF instructions and this one adds more than %d: nest fewer sandboxes or write fewer rules", length)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
		hint = "; an outer sandbox or a kernel without CONFIG_SECCOMP_FILTER denies seccomp(2): use another backend"
	}
	return fmt.Errorf("seccomp: load filter on %s: %w%s", who, err, hint)
}
