// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// From linux/io_uring.h.
const (
	IORingSetupSQPoll    = 1 << 1
	IORingSetupRDisabled = 1 << 6

	ioringOpSendmsg      = 9
	ioringOpConnect      = 16
	ioringOpSocket       = 45
	ioringOpBind         = 56
	ioringEnterGetEvents = 1 << 0
	ioringEnterSQWakeup  = 1 << 1
	ioringOffSQRing      = 0
	ioringOffCQRing      = 0x8000000
	ioringOffSQEs        = 0x10000000
	ioringSQNeedWakeup   = 1 << 0

	ioringRegisterBPFFilter = 37
	ioringBPFCmdFilter      = 1
	// noRing is the descriptor that stands for the calling task.
	noRing = ^uintptr(0)
)

// ioUringBPF is struct io_uring_bpf (linux/io_uring/bpf_filter.h).
type ioUringBPF struct {
	cmdType, cmdFlags        uint16
	_                        uint32
	opcode, flags, filterLen uint32
	pduSize                  uint8
	_                        [3]uint8
	filter                   uint64
	_                        [5]uint64
}

// RingFilter has the kernel ask the program about every IORING_OP_SOCKET of every
// ring that the calling task, and what it starts from then on, makes (Linux 7.1).
// It takes no_new_privs or CAP_SYS_ADMIN and is irrevocable. The program is given
// struct io_uring_bpf_ctx; it returns 0 to deny with EACCES.
func RingFilter(prog []bpf.RawInstruction) error {
	return registerRingFilter(noRing, prog)
}

// Filter is [RingFilter] for one ring.
func (r *Ring) Filter(prog []bpf.RawInstruction) error {
	return registerRingFilter(uintptr(r.FD), prog)
}

func registerRingFilter(ring uintptr, prog []bpf.RawInstruction) error {
	const pduSize = 12 // family, type and protocol
	arg := &ioUringBPF{
		cmdType: ioringBPFCmdFilter, opcode: ioringOpSocket,
		filterLen: uint32(len(prog)), filter: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(prog)))),
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, ring, ioringRegisterBPFFilter, uintptr(unsafe.Pointer(arg)), 1, 0, 0)
	runtime.KeepAlive(prog)
	switch {
	case errno != 0:
		return errno
	case arg.pduSize != 0 && arg.pduSize < pduSize: // kernels that know the field write theirs
		return fmt.Errorf("the kernel tells filters %d bytes about a socket, not %d", arg.pduSize, pduSize)
	}
	return nil
}

// HasRingFilter asks the kernel whether it knows [RingFilter].
func HasRingFilter() bool {
	_, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, noRing, ioringRegisterBPFFilter, 0, 1, 0, 0)
	if errno == unix.EACCES { // no_new_privs is not set yet; an outer sandbox would deny nonsense too
		_, _, nonsense := unix.RawSyscall6(unix.SYS_IO_URING_REGISTER, noRing, ^uintptr(0), 0, 0, 0, 0)
		return nonsense != unix.EACCES
	}
	return errno == unix.EFAULT
}

type ioRingParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

// ioRingSQE is struct io_uring_sqe as IORING_OP_SOCKET uses it: fd is the
// family, off the type, length the protocol.
type ioRingSQE struct {
	opcode, flags  uint8
	ioprio         uint16
	fd             int32
	off, addr      uint64
	length, rwFlag uint32
	userData       uint64
	_              [3]uint64
}

type ioRingCQE struct {
	userData uint64
	res      int32
	flags    uint32
}

// Ring is an io_uring that makes sockets, for tests and conformance runs.
type Ring struct {
	FD      int
	params  ioRingParams
	sq, cq  []byte
	sqes    []ioRingSQE
	sqeMap  []byte
	pending uint32
}

// NewRing calls io_uring_setup(2) and maps the rings. entries is a power of two.
func NewRing(entries, flags uint32) (*Ring, error) {
	r := &Ring{}
	r.params.flags = flags
	r.params.sqThreadIdle = 10_000 // milliseconds
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(&r.params)), 0)
	if errno != 0 {
		return nil, errno
	}
	r.FD = int(fd)
	p := &r.params
	var err error
	mapRing := func(offset int64, size uint32) []byte {
		if err != nil {
			return nil
		}
		var m []byte
		m, err = unix.Mmap(r.FD, offset, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		return m
	}
	r.sq = mapRing(ioringOffSQRing, p.sq.array+4*p.sqEntries)
	r.cq = mapRing(ioringOffCQRing, p.cq.cqes+uint32(unsafe.Sizeof(ioRingCQE{}))*p.cqEntries)
	r.sqeMap = mapRing(ioringOffSQEs, uint32(unsafe.Sizeof(ioRingSQE{}))*p.sqEntries)
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("map io_uring: %w", err)
	}
	r.sqes = unsafe.Slice((*ioRingSQE)(unsafe.Pointer(&r.sqeMap[0])), p.sqEntries)
	return r, nil
}

// Close unmaps and closes the ring.
func (r *Ring) Close() {
	for _, m := range [][]byte{r.sq, r.cq, r.sqeMap} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
	_ = unix.Close(r.FD)
}

func (r *Ring) word(ring []byte, offset uint32) *uint32 {
	return (*uint32)(unsafe.Pointer(&ring[offset]))
}

// Queue puts an IORING_OP_SOCKET into the submission queue; false if it is full.
// A polling kernel thread sees it at once; else Enter submits it. typ is 64 bits
// wide in the queue, of which the kernel takes the low 32.
func (r *Ring) Queue(family int32, typ uint64, protocol int32, userData uint64) bool {
	return r.queue(ioRingSQE{opcode: ioringOpSocket, fd: family, off: typ, length: uint32(protocol), userData: userData})
}

func (r *Ring) queue(sqe ioRingSQE) bool {
	p := &r.params
	tail := r.word(r.sq, p.sq.tail)
	if *tail-atomic.LoadUint32(r.word(r.sq, p.sq.head)) == p.sqEntries {
		return false
	}
	i := *tail & *r.word(r.sq, p.sq.mask)
	r.sqes[i] = sqe
	*r.word(r.sq, p.sq.array+4*i) = i
	atomic.StoreUint32(tail, *tail+1)
	r.pending++
	return true
}

// Enter submits what is queued and waits for one completion or more.
func (r *Ring) Enter() error {
	flags := uintptr(ioringEnterGetEvents)
	if r.params.flags&IORingSetupSQPoll != 0 && atomic.LoadUint32(r.word(r.sq, r.params.sq.flags))&ioringSQNeedWakeup != 0 {
		flags |= ioringEnterSQWakeup
	}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.FD), uintptr(r.pending), 1, flags, 0, 0)
		if errno == 0 {
			r.pending -= uint32(n)
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// Reap takes one completion off the queue: res is a descriptor or -errno.
func (r *Ring) Reap() (userData uint64, res int32, ok bool) {
	p := &r.params
	head := r.word(r.cq, p.cq.head)
	if *head == atomic.LoadUint32(r.word(r.cq, p.cq.tail)) {
		return 0, 0, false
	}
	i := *head & *r.word(r.cq, p.cq.mask)
	c := *(*ioRingCQE)(unsafe.Pointer(&r.cq[p.cq.cqes+i*uint32(unsafe.Sizeof(ioRingCQE{}))]))
	atomic.StoreUint32(head, *head+1)
	return c.userData, c.res, true
}

// TryRingFilter loads the filter on a thread that is thrown away, with the
// no_new_privs that it takes, and asks a ring there for a socket of each
// protocol. The requests should be such that no socket is made.
func TryRingFilter(prog []bpf.RawInstruction, family int32, protocols ...int32) (errnos []unix.Errno, err error) {
	OnThrowawayThread(func() { errnos, err = tryRingFilter(prog, family, protocols) })
	return errnos, err
}

func tryRingFilter(prog []bpf.RawInstruction, family int32, protocols []int32) ([]unix.Errno, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	if err := RingFilter(prog); err != nil {
		return nil, err
	}
	r, err := NewRing(1, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var errnos []unix.Errno
	for _, protocol := range protocols {
		r.Queue(family, 0, protocol, 0)
		if err := r.Enter(); err != nil {
			return nil, err
		}
		_, res, _ := r.Reap()
		errnos = append(errnos, unix.Errno(max(0, -res)))
	}
	return errnos, nil
}
