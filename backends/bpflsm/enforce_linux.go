// SPDX-License-Identifier: Apache-2.0

package bpflsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

// Operations of the program on prctl(2).
const (
	opEnter = 1 + iota
	opConfirm
	// OpHome records the mount namespace in which the pins are.
	OpHome
)

// call is prctl(PR_GET_DUMPABLE), which ignores what the program on it reads.
func call(magic uint64, op uintptr, id uint64, table uintptr) [6]uintptr {
	return [6]uintptr{unix.PR_GET_DUMPABLE, uintptr(magic), op, uintptr(id), table}
}

// Ask makes one such call on the calling thread.
func Ask(magic uint64, op uintptr, id uint64) unix.Errno {
	a := call(magic, op, id, 0)
	_, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, a[0], a[1], a[2], a[3], a[4], a[5])
	return errno
}

// layer is a policy that is ready to be entered, while the programs are kept.
type layer struct {
	table *Table
	lock  Lock
}

// Close implements [engine.Layer].
func (l layer) Close() error { return l.lock.Close() }

// prepare has the programs loaded and keeps them from being unloaded.
func prepare(t *Table) (engine.Layer, error) {
	lock, err := lockPins()
	if errors.Is(err, errNotLoaded) {
		if err := runHelper("load"); err != nil {
			return nil, err
		}
		lock, err = lockPins()
	}
	if errors.Is(err, errNotLoaded) {
		err = fmt.Errorf("bpflsm: %s is of another version than this program: install both from one release", Helper)
	}
	if err != nil {
		return nil, err
	}
	return layer{t, lock}, nil
}

var errNotLoaded = errors.New("bpflsm: the programs are not loaded: sockade bpf load")

// lockPins takes a shared lock on the pins: nobody unloads programs while it is held.
func lockPins() (Lock, error) {
	lock, err := LockPins(unix.LOCK_SH)
	if errors.Is(err, unix.ENOENT) {
		return lock, errNotLoaded
	}
	if err != nil {
		return lock, err
	}
	if err := unix.Access(Root+"/"+Version, unix.F_OK); err != nil {
		_ = lock.Close()
		return lock, errNotLoaded
	}
	return lock, nil
}

// Lock is a lock on the directory of the pins. It is a bare descriptor: an [os.File]
// would start the runtime's poller, which every start of sockade would pay for.
type Lock struct{ fd int }

// Close ends the lock.
func (l Lock) Close() error { return unix.Close(l.fd) }

// LockPins opens the directory of the pins and locks it as flock(2) does. A directory of
// another user is an error: a file system of BPF can be writable for everybody.
func LockPins(how int) (Lock, error) {
	fd, err := unix.Open(Root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	lock := Lock{fd}
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return lock, fmt.Errorf("bpflsm: open %s: %w: allow one more (ulimit -n)", Root, err)
	case err != nil:
		return lock, fmt.Errorf("bpflsm: open %s: %w: see sockade probe", Root, err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && (st.Uid != 0 || st.Mode&0o077 != 0) {
		err = fmt.Errorf("it is of user %d with mode %o, and not only for root: remove it", st.Uid, st.Mode&0o777)
	}
	if err == nil {
		for err = unix.EINTR; errors.Is(err, unix.EINTR); {
			err = unix.Flock(fd, how)
		}
	}
	if err != nil {
		_ = lock.Close()
		return lock, fmt.Errorf("bpflsm: lock %s: %w", Root, err)
	}
	return lock, nil
}

// Enforce implements [engine.Layer].
func (l layer) Enforce(scope engine.Scope) error {
	who, allThreads := "the calling thread", scope == engine.Process
	if scope == engine.Exec {
		runtime.LockOSThread() // the thread that executes the program is the one that is meant
	}
	if allThreads {
		who = "all threads"
	}
	id, err := newID()
	if err != nil {
		return err
	}
	return explain(who, enter(Magic(Version), id, l.table, allThreads))
}

// newID returns a number that nobody can guess. Package crypto/rand would start a timer.
func newID() (uint64, error) {
	var b [8]byte
	for {
		n, err := unix.Getrandom(b[:], 0)
		if err == nil && n < len(b) {
			err = unix.EAGAIN
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("bpflsm: getrandom: %w: an outer sandbox denies it: run sockade outside", err)
		}
		if id := binary.NativeEndian.Uint64(b[:]); id != 0 {
			return id, nil
		}
	}
}

// tries bounds how often a call is repeated that can fail for a moment.
const tries = 500

// enter puts the calling thread, which is locked, or all threads into a new domain.
func enter(magic, id uint64, t *Table, allThreads bool) error {
	table := sys.Pointer(t)
	defer runtime.KeepAlive(t)
	a := call(magic, opEnter, id, table)
	for n := 0; ; n++ {
		var errno unix.Errno
		t.touch()
		if allThreads {
			_, _, errno = syscall.AllThreadsSyscall6(unix.SYS_PRCTL, a[0], a[1], a[2], a[3], a[4], a[5])
		} else {
			_, _, errno = unix.RawSyscall6(unix.SYS_PRCTL, a[0], a[1], a[2], a[3], a[4], a[5])
		}
		if errno == 0 {
			break
		}
		// The kernel has no memory for a domain at hand and fetches some, or the table
		// was not in memory at that moment.
		if (errno != unix.ENOMEM && errno != unix.EFAULT) || n == tries {
			return errno
		}
		pause()
	}
	// Where there are no programs the call succeeds too.
	if errno := Ask(magic, opConfirm, id); errno != unix.EEXIST {
		return errNoAnswer
	}
	return nil
}

// pause waits a millisecond, without the runtime's timers: they would start its poller.
func pause() { _ = unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil) }

// touch has all of the table in memory: the program cannot wait for a page.
func (t *Table) touch() {
	atomic.AddUint64(&t.Flags, 0)
	for i := range t.Low {
		atomic.AddUint64(&t.Low[i][0], 0)
	}
	for i := range t.Listed {
		atomic.AddUint32(&t.Listed[i], 0)
	}
	for i := range t.Ports {
		for n := range t.Ports[i] {
			atomic.AddUint64(&t.Ports[i][n], 0)
		}
	}
}

var errNoAnswer = errors.New("the programs do not answer")

func explain(who string, err error) error {
	hint := "see sockade bpf status"
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOTSUP):
		hint = "in a program with cgo there are threads that cannot be reached: build it with CGO_ENABLED=0, start it with sockade run, or use the seccomp backend"
	case errors.Is(err, unix.ENOMEM):
		hint = "no memory, or 4096 sandboxes run already: end some, see sockade bpf status"
	case errors.Is(err, unix.EAGAIN):
		hint = "65536 tasks run in sandboxes already: end some, see sockade bpf status"
	case errors.Is(err, unix.ELOOP):
		hint = "16 sandboxes, one in the other, are the most"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOSYS), errors.Is(err, errNoAnswer):
		hint = "an outer sandbox denies prctl(2), or the user is not root: use another backend"
	}
	return fmt.Errorf("bpflsm: put %s into a domain: %w: %s", who, err, hint)
}
