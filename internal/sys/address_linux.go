// SPDX-License-Identifier: Apache-2.0

package sys

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls with an address of which every byte, and the length, is the caller's. They
// return the errno, 0 for none.

// Bind calls bind(2).
func Bind(fd int, address []byte) unix.Errno { return withAddress(unix.SYS_BIND, fd, address) }

// Connect calls connect(2).
func Connect(fd int, address []byte) unix.Errno { return withAddress(unix.SYS_CONNECT, fd, address) }

func withAddress(nr uintptr, fd int, address []byte) unix.Errno {
	_, _, errno := unix.RawSyscall(nr, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(address))), uintptr(len(address)))
	return errno
}

// Sendto calls sendto(2) with one byte.
func Sendto(fd, flags int, address []byte) unix.Errno {
	var b byte
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1, uintptr(flags),
		uintptr(unsafe.Pointer(unsafe.SliceData(address))), uintptr(len(address)))
	return errno
}

// Sendmsg calls sendmsg(2) with one byte.
func Sendmsg(fd, flags int, address []byte) unix.Errno {
	m := newMessage(address)
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.header)), uintptr(flags))
	runtime.KeepAlive(m)
	return errno
}

// Sendmmsg calls sendmmsg(2) with one message of one byte.
func Sendmmsg(fd, flags int, address []byte) unix.Errno {
	m := newMessage(address)
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(m)), 1, uintptr(flags), 0, 0)
	runtime.KeepAlive(m)
	return errno
}

// message begins with a struct mmsghdr.
type message struct {
	header  unix.Msghdr
	len     uint32
	iov     unix.Iovec
	content byte
}

func newMessage(address []byte) *message {
	m := &message{}
	m.iov.Base = &m.content
	m.iov.SetLen(1)
	m.header.Iov = &m.iov
	m.header.SetIovlen(1)
	if len(address) > 0 {
		m.header.Name, m.header.Namelen = &address[0], uint32(len(address))
	}
	return m
}

// Bind is an IORING_OP_BIND (Linux 6.11), waited for.
func (r *Ring) Bind(fd int, address []byte) (unix.Errno, error) {
	return r.do(ioRingSQE{opcode: ioringOpBind, fd: int32(fd), addr: addressOf(address), off: uint64(len(address))}, address)
}

// Connect is an IORING_OP_CONNECT, waited for.
func (r *Ring) Connect(fd int, address []byte) (unix.Errno, error) {
	return r.do(ioRingSQE{opcode: ioringOpConnect, fd: int32(fd), addr: addressOf(address), off: uint64(len(address))}, address)
}

// Sendmsg is an IORING_OP_SENDMSG with one byte, waited for.
func (r *Ring) Sendmsg(fd, flags int, address []byte) (unix.Errno, error) {
	m := newMessage(address)
	return r.do(ioRingSQE{opcode: ioringOpSendmsg, fd: int32(fd), addr: uint64(Pointer(m)), length: 1, rwFlag: uint32(flags)}, m)
}

func addressOf(address []byte) uint64 {
	if len(address) == 0 {
		return 0
	}
	return uint64(Pointer(&address[0]))
}

// do submits one request on an empty ring.
func (r *Ring) do(sqe ioRingSQE, alive any) (unix.Errno, error) {
	if !r.queue(sqe) {
		return 0, errors.New("the ring is full")
	}
	if err := r.Enter(); err != nil {
		return 0, err
	}
	_, res, ok := r.Reap()
	runtime.KeepAlive(alive)
	if !ok {
		return 0, errors.New("the ring gives no answer")
	}
	return unix.Errno(max(0, -res)), nil
}
