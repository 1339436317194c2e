// SPDX-License-Identifier: Apache-2.0

package selector

import (
	"errors"
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

// manyFDs is how many an error names.
const manyFDs = 10

// settleFDs does what the policy says about files that are open: keep tells
// those that matter, drop takes one away.
func (p *Plan) settleFDs(matters func(fd int) bool, drop func(fd int) error) error {
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
		case p.policy.FDs.Inherit == engine.InheritKeep && !f.ring:
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
	if more := len(refused) - manyFDs; more > 0 {
		refused = append(refused[:manyFDs], fmt.Sprintf("and %d more", more))
	}
	if len(refused) > 0 {
		return &ForeignFDsError{"open files outside the policy: " + strings.Join(refused, ", ") + ": " + hint}
	}
	return nil
}

// foreignFDs lists the open files outside the policy among those that matter.
// It looks at the calling thread's descriptor table, which is the one that a
// program that it executes gets.
func foreignFDs(p engine.Policy, matters func(fd int) bool) ([]foreign, error) {
	fds, err := openFDs(ownFDs())
	if err != nil {
		return nil, err
	}
	var out []foreign
	for _, fd := range fds {
		if !matters(fd) {
			continue
		}
		f, err := lookAt(fd, p)
		switch {
		case errors.Is(err, unix.EBADF), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTSOCK):
			// Another thread closed it, or it is an O_PATH descriptor of a socket file.
		case err != nil:
			return nil, fmt.Errorf("look at fd %d: %w", fd, err)
		case f.what != "":
			out = append(out, f)
		}
	}
	return out, nil
}

// ownFDs is where the calling thread's descriptor table is listed.
func ownFDs() string {
	if unix.Gettid() == unix.Getpid() {
		return "/proc/self/fd" // the same, and half as many directories to look up
	}
	return "/proc/thread-self/fd"
}

// lookAt returns what is foreign about an open file; its what is empty if
// nothing is.
func lookAt(fd int, p engine.Policy) (foreign, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return foreign{}, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		r, err := socketTriple(fd)
		if err != nil {
			return foreign{}, err
		}
		if _, ok := p.Match(r); !ok {
			return foreign{fd, false, "socket " + r.String()}, nil
		}
	case 0, unix.S_IFREG: // what an anonymous inode may say it is
		if anonymous, err := anonymousDev(); err != nil || st.Dev != anonymous {
			return foreign{}, err
		}
		link, err := os.Readlink(fmt.Sprintf("/proc/thread-self/fd/%d", fd))
		if err != nil {
			return foreign{}, err
		}
		if link == linkRing {
			return foreign{fd, true, "an io_uring ring"}, nil
		}
	}
	return foreign{}, nil
}

// anonymousDev is the device of all anonymous inodes: to ask for it is quicker
// than to have the kernel write the path of every file.
func anonymousDev() (uint64, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("compare it with an anonymous file: eventfd: %w: %s", err, deniedOutside)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return st.Dev, err
}

// linkRing is what /proc/PID/fd/N of an io_uring points to.
const linkRing = "anon_inode:[io_uring]"

// deniedOutside is what to do where the kernel itself would not refuse.
const deniedOutside = "an outer sandbox denies it: run sockade outside"

// openFDs lists a directory of descriptors in /proc, without the one that it
// takes to do so.
func openFDs(dir string) ([]int, error) {
	d, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		fix := "mount /proc"
		switch {
		case errors.Is(err, unix.EMFILE):
			fix = "allow one more (ulimit -n)"
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
			fix = deniedOutside
		}
		return nil, fmt.Errorf("list open files: %s: %w: sockade looks at all of them: %s", dir, err, fix)
	}
	defer unix.Close(d)
	var fds []int
	var names []string
	for buf := make([]byte, 512); ; { // on the stack, which need not grow for it
		n, err := unix.Getdents(d, buf)
		if err != nil {
			return nil, fmt.Errorf("list open files: %s: %w: %s", dir, err, deniedOutside)
		}
		if n == 0 {
			return fds, nil
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			if fd, err := strconv.Atoi(name); err == nil && fd != d {
				fds = append(fds, fd)
			}
		}
	}
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
