// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
)

// foreign is an open file that a policy is to keep out: a socket that no rule
// allows, or an io_uring ring, which makes sockets that no later filter sees.
type foreign struct {
	fd   int
	ring bool
	what string
}

func (f foreign) String() string {
	name := map[int]string{0: " (stdin)", 1: " (stdout)", 2: " (stderr)"}[f.fd]
	return fmt.Sprintf("fd %d%s is %s", f.fd, name, f.what)
}

// ForeignFDsError names open files that the policy does not allow.
type ForeignFDsError struct{ text string }

func (e *ForeignFDsError) Error() string { return e.text }

// settleFDs does what the policy says about files that are open: keep tells
// those that matter, drop takes one away.
func (p Plan) settleFDs(matters func(fd int) bool, drop func(fd int) error) error {
	if p.policy.All {
		return nil
	}
	found, err := foreignFDs(p.policy, matters)
	if err != nil {
		return err
	}
	var refused []string
	hint := ""
	for _, f := range found {
		switch {
		case p.policy.FDs.Inherit == engine.InheritClose:
			if err := drop(f.fd); err != nil {
				return fmt.Errorf("close %v: %w", f, err)
			}
		case p.policy.FDs.Inherit == engine.InheritKeep && (!f.ring || p.bestEffort):
		case f.ring:
			refused = append(refused, f.String())
			hint = "close it before, or close such files with --inherit close ([fds] inherit)"
		default:
			refused = append(refused, f.String())
			if hint == "" {
				hint = fmt.Sprintf("allow it with --allow %s, or choose --inherit close or --inherit keep ([fds] inherit)", f.what[len("socket "):])
			}
		}
	}
	if len(refused) > 0 {
		return &ForeignFDsError{"open files outside the policy: " + strings.Join(refused, ", ") + ": " + hint}
	}
	return nil
}

// foreignFDs lists the open files outside the policy among those that matter.
func foreignFDs(p engine.Policy, matters func(fd int) bool) ([]foreign, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("list open files: %w; sockade needs /proc to check what a command would inherit", err)
	}
	var out []foreign
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || !matters(fd) {
			continue
		}
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		switch {
		case os.IsNotExist(err): // the descriptor of the listing itself
			continue
		case err != nil:
			return nil, fmt.Errorf("look at fd %d: %w", fd, err)
		case link == "anon_inode:[io_uring]":
			out = append(out, foreign{fd, true, "an io_uring ring"})
		case strings.HasPrefix(link, "socket:"):
			r, err := socketTriple(fd)
			if err != nil {
				return nil, fmt.Errorf("look at socket fd %d: %w", fd, err)
			}
			if _, ok := p.Match(r); !ok {
				out = append(out, foreign{fd, false, "socket " + r.String()})
			}
		}
	}
	return out, nil
}

// socketTriple asks a socket what it is. That is not always what was asked for
// when it was made (SO_TYPE of a UNIX raw socket is SOCK_DGRAM): where they
// differ the policy has to allow what it is now.
func socketTriple(fd int) (engine.Request, error) {
	var r engine.Request
	for _, o := range []struct {
		name  int
		value *int32
	}{{unix.SO_DOMAIN, &r.Family}, {unix.SO_TYPE, &r.Type}, {unix.SO_PROTOCOL, &r.Protocol}} {
		v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, o.name)
		if err != nil {
			return r, err
		}
		*o.value = int32(v)
	}
	return r, nil
}

// survivesExec tells whether a descriptor is passed on by execve.
func survivesExec(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}

// closeFD closes a descriptor; the standard ones get /dev/null in place, since
// the next file that a program opens would else become its stdin or stdout.
func closeFD(fd int) error {
	if fd > 2 {
		return unix.Close(fd)
	}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(null)
	return unix.Dup3(null, fd, 0)
}
