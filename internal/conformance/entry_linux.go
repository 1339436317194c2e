// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"errors"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

// entry is one way into the kernel's socket creation.
type entry struct {
	name string
	// thin keeps every thin-th request of the space, a number that shares no
	// factor with its dimensions. The native socket(2) gets all of them.
	thin int
	// pair is for socketpair.
	pair bool
	// finding is the narrowing that, where a backend reports it, makes denials
	// through this entry expected.
	finding string
	// setup returns the function that issues one request and the reason if this
	// kernel has not got the entry. It is called after the policy is in force,
	// so it must not need a socket.
	setup func(*made) (call func(request) unix.Errno, missing string)
	// batch issues many requests at once instead.
	batch func(each func(func(int, request)), m *made, got func(i int, r request, errno unix.Errno)) (missing string, err error)
}

// entries of every architecture. Those of x86 are in entry_linux_amd64.go.
func allEntries() []entry {
	native := []entry{
		{name: "socket", thin: 1, setup: native(unix.SYS_SOCKET, false)},
		{name: "socketpair", thin: 7, pair: true, setup: native(unix.SYS_SOCKETPAIR, true)},
		{name: "IORING_OP_SOCKET", thin: 13, finding: engine.FindingIOURing, batch: ringSockets},
	}
	return append(native, archEntries()...)
}

// each yields the entry's share of the space.
func (e entry) each(thin int, yield func(i int, r request)) {
	const packets = 31
	eachRequest(thin*e.thin, func(i int, r request) {
		// socketpair makes two packet sockets before it finds that they have no
		// pairs, and closes them before it returns: milliseconds, see made.
		if family, _, _ := r.Triple(); e.pair && family == unix.AF_PACKET && i%packets != 0 {
			return
		}
		yield(i, r)
	})
}

func native(nr uintptr, pair bool) func(*made) (func(request) unix.Errno, string) {
	return func(m *made) (func(request) unix.Errno, string) {
		words, addr, err := sys.LowMemory()
		if err != nil {
			return nil, "no memory: " + err.Error()
		}
		return func(r request) unix.Errno {
			fd, _, errno := unix.RawSyscall6(nr, r.arg(r.Family), r.arg(r.Type), r.arg(r.Protocol), addr, 0, 0)
			switch {
			case errno == 0 && pair:
				m.add(words[0], words[1])
			case errno == 0:
				m.add(uint32(fd))
			}
			return errno
		}, ""
	}
}

// made collects descriptors to close later, many at once. To close a packet
// socket takes milliseconds, nearly all of it waiting for a grace period of RCU
// (packet_release in net/packet/af_packet.c), which many can wait for together.
type made []int

const madeMax = 512

func (m *made) add(fds ...uint32) {
	for _, fd := range fds {
		*m = append(*m, int(fd))
	}
	if len(*m) >= madeMax {
		m.closeAll()
	}
}

func (m *made) closeAll() {
	var wg sync.WaitGroup
	for part := range slices.Chunk(*m, 8) {
		wg.Go(func() {
			for _, fd := range part {
				_ = unix.Close(fd)
			}
		})
	}
	wg.Wait()
	*m = (*m)[:0]
}

// ringSockets issues requests as IORING_OP_SOCKET. Its family and protocol are
// 32 bits wide; the type is 64.
func ringSockets(each func(func(int, request)), m *made, got func(i int, r request, errno unix.Errno)) (missing string, err error) {
	const entries = 256
	ring, err := sys.NewRing(entries, 0)
	switch {
	case errors.Is(err, unix.ENOSYS):
		return "this kernel has no io_uring", nil
	case err != nil:
		return "", err
	}
	defer ring.Close()
	// EINVAL stands for an operation that the kernel does not know; of socket(2)
	// this family would get EAFNOSUPPORT.
	ring.Queue(-1, 0, 0, 0)
	if err := ring.Enter(); err != nil {
		return "", err
	}
	if _, res, _ := ring.Reap(); res == -int32(unix.EINVAL) {
		return "this kernel has no IORING_OP_SOCKET (Linux 5.19)", nil
	}
	batch := map[uint64]request{}
	flush := func() {
		for len(batch) > 0 && err == nil {
			if err = ring.Enter(); err != nil {
				return
			}
			for {
				i, res, ok := ring.Reap()
				if !ok {
					break
				}
				if res >= 0 {
					m.add(uint32(res))
				}
				got(int(i), batch[i], unix.Errno(max(0, -res)))
				delete(batch, i)
			}
		}
	}
	each(func(i int, r request) {
		if err == nil && ring.Queue(r.Family, uint64(r.arg(r.Type)), r.Protocol, uint64(i)) {
			batch[uint64(i)] = r
		}
		if len(batch) == entries {
			flush()
		}
	})
	flush()
	return "", err
}
