// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

// layer is a ruleset in the kernel; fd is -1 for a policy that needs none.
type layer struct{ fd int }

func prepare(p engine.Policy, s engine.Support) (engine.Layer, error) {
	r := compile(p, dialectOf(s), rightsOf(s), attrSize())
	if r.empty() {
		return layer{fd: -1}, nil
	}
	fd, err := build(r)
	if err != nil {
		return nil, err
	}
	calls := sys.LandlockCalls(fd, 0)
	err = sys.Elsewhere(calls)
	for _, c := range calls {
		if errno := c.Errno(); err == nil && errno != 0 {
			err = explainRestrict("a task of its own", errno)
		}
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return layer{fd}, nil
}

// Close implements [engine.Layer].
func (l layer) Close() error {
	if l.fd < 0 {
		return nil
	}
	return unix.Close(l.fd)
}

// Enforce implements [engine.Layer]. It sets no_new_privs, without which a domain would
// take CAP_SYS_ADMIN.
func (l layer) Enforce(scope engine.Scope) error {
	if l.fd < 0 {
		return nil
	}
	if scope == engine.Process {
		return explain("all threads", l.enforceProcess())
	}
	if scope == engine.Exec {
		runtime.LockOSThread() // the thread that executes the program is the one that is meant
	}
	return explain("the calling thread", sys.LandlockRestrict(l.fd, 0))
}

// enforceProcess has every thread make the same calls, with the same result, see prepare.
// The kernel's own way (LANDLOCK_RESTRICT_SELF_TSYNC, ABI 8) gives all threads the domain
// of one (landlock_cred_copy in security/landlock/tsync.c): one that had a stricter domain
// of its own would lose it.
func (l layer) enforceProcess() error {
	if _, _, errno := psx.Syscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); errno != 0 {
		return &sys.NoNewPrivsError{Errno: errno}
	}
	if _, _, errno := psx.Syscall3(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(l.fd), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func explain(who string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("landlock: %w", explainRestrict(who, err))
}

// explainRestrict adds what the errnos of landlock_restrict_self(2) mean.
func explainRestrict(who string, err error) error {
	hint := outer
	switch {
	case errors.Is(err, unix.E2BIG):
		hint = "16 domains, one in the other, are the most: nest fewer sandboxes, or use another backend"
	case errors.Is(err, unix.ENOMEM):
		hint = "the kernel has no memory for it"
	}
	return fmt.Errorf("put %s into a domain: %w: %s", who, err, hint)
}
