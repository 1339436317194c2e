// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

// From linux/io_uring.h: words of struct io_uring_params, setup and enter flags.
const (
	paramFlags    = 2
	paramIdle     = 4
	paramSQTail   = 11
	paramSQArray  = 16
	paramSQMemory = 18
	paramCQMemory = 28

	setupSQPoll           = 1 << 1
	setupNoMmap           = 1 << 14
	setupRegisteredFDOnly = 1 << 15
	enterRegisteredRing   = 1 << 4

	opTimeout = 11
	opSocket  = 45
	sqeLink   = 1 << 2 << 8 // IOSQE_IO_LINK, in the byte after the opcode
	sqeWords  = 16
)

// hiddenRing is a ring in the program's own memory that has no descriptor: it
// is in no list of open files and in no list of mappings (Linux 6.5).
type hiddenRing struct {
	rings, sqes []uint32
	tail, array uint32
	index       uintptr
}

func newHiddenRing(flags uint32) (*hiddenRing, error) {
	params, paramsAt, err := sys.LowMemory()
	if err != nil {
		return nil, err
	}
	r := &hiddenRing{}
	var ringsAt, sqesAt uintptr
	if r.rings, ringsAt, err = sys.LowMemory(); err != nil {
		return nil, err
	}
	if r.sqes, sqesAt, err = sys.LowMemory(); err != nil {
		return nil, err
	}
	params[paramFlags] = flags | setupNoMmap | setupRegisteredFDOnly
	params[paramIdle] = 10_000
	params[paramCQMemory], params[paramCQMemory+1] = uint32(ringsAt), uint32(ringsAt>>32)
	params[paramSQMemory], params[paramSQMemory+1] = uint32(sqesAt), uint32(sqesAt>>32)
	index, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 2, paramsAt, 0)
	if errno != 0 {
		return nil, errno
	}
	r.index, r.tail, r.array = index, params[paramSQTail]/4, params[paramSQArray]/4
	return r, nil
}

// socket writes a request for an inet socket into a slot.
func (r *hiddenRing) socket(slot int) {
	sqe := r.sqes[slot*sqeWords:]
	sqe[0], sqe[1], sqe[2] = opSocket, unix.AF_INET, unix.SOCK_STREAM
	r.rings[int(r.array)+slot] = uint32(slot)
}

// wake has a first request done, after which a polling thread stays awake.
func (r *hiddenRing) wake() error {
	const getEvents, sqWakeup = 1, 2
	r.socket(0)
	r.rings[r.tail]++
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, r.index, 1, 1, enterRegisteredRing|getEvents|sqWakeup, 0, 0); errno != 0 {
		return fmt.Errorf("wake: %w", errno)
	}
	return closeSockets()
}

// closeSockets closes the inet sockets of this process.
func closeSockets() error {
	sockets, err := foreignSockets(policy("unix"))
	if err != nil {
		return err
	}
	for _, s := range sockets {
		var fd int
		if _, err := fmt.Sscanf(s, "fd %d", &fd); err != nil {
			return err
		}
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	return nil
}

// made waits for a socket of this process.
func made() (string, error) {
	for range 1000 {
		sockets, err := foreignSockets(policy("unix"))
		if err != nil {
			return "", err
		}
		if len(sockets) > 0 {
			return works, nil
		}
		time.Sleep(time.Millisecond)
	}
	return nothing, nil
}

// nothing is what made sees where no socket comes.
const nothing = "nothing"

// hiddenPolling has a hidden ring that a kernel thread polls; rename makes the
// thread look like another.
func hiddenPolling(rename bool) try {
	return func(s *sandbox) (string, error) {
		r, err := newHiddenRing(setupSQPoll)
		if err != nil {
			return "", err
		}
		if err := r.wake(); err != nil {
			return "", err
		}
		if rename {
			if err := renamePoller(); err != nil {
				return "", err
			}
		}
		if err := s.enter(); err != nil {
			return "", err
		}
		r.rings[r.array+1] = 0 // the same request again
		r.rings[r.tail]++
		return made()
	}
}

// renamePoller gives the polling threads of this process another name.
func renamePoller() error {
	paths, err := filepath.Glob("/proc/self/task/*/comm")
	if err != nil {
		return err
	}
	for _, path := range paths {
		if comm, _ := os.ReadFile(path); strings.HasPrefix(string(comm), "iou-sqp") {
			return os.WriteFile(path, []byte("harmless"), 0)
		}
	}
	return errors.New("no polling thread")
}

// hiddenTimer has a request for a socket in a hidden ring that starts when a
// timer ends: no thread of the kernel is there until then.
func hiddenTimer(s *sandbox) (string, error) {
	if err := startHiddenTimer(); err != nil {
		return "", err
	}
	if err := s.enter(); err != nil {
		return "", err
	}
	return made()
}

// hiddenTimerExec is hiddenTimer over execve.
func hiddenTimerExec(s *sandbox) (string, error) {
	if err := startHiddenTimer(); err != nil {
		return "", err
	}
	return "", s.exec("/proc/self/exe")
}

func startHiddenTimer() error {
	r, err := newHiddenRing(0)
	if err != nil {
		return err
	}
	span, at, err := sys.LowMemory()
	if err != nil {
		return err
	}
	span[2] = 300e6             // nanoseconds, in a struct __kernel_timespec
	const etimeSuccess = 1 << 5 // IORING_TIMEOUT_ETIME_SUCCESS: the chain goes on
	sqe := r.sqes
	sqe[0], sqe[1] = opTimeout|sqeLink, ^uint32(0) // no descriptor
	sqe[4], sqe[5], sqe[6], sqe[7] = uint32(at), uint32(at>>32), 1, etimeSuccess
	r.rings[r.array] = 0
	r.socket(1)
	r.rings[r.tail] = 2
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, r.index, 2, 0, enterRegisteredRing, 0, 0); errno != 0 {
		return fmt.Errorf("submit: %w", errno)
	}
	return nil
}

// needHiddenRing is for ways through a ring without a descriptor.
func needHiddenRing(bool) (capability, missing, fix string) {
	if err := testutil.Run(testutil.Child{Name: "hidden ring"}, nil); err != nil {
		missing = err.Error()
	}
	return "io_uring-6.5", missing, "boot Linux 6.5 or later, set kernel.io_uring_disabled=0"
}

// hiddenWorks is the child of needHiddenRing.
func hiddenWorks([]byte) (any, error) {
	_, err := newHiddenRing(0)
	return nil, err
}
