// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mksock FAMILY TYPE PROTOCOL…: prints what socket(2) gives for each triple, ok
// or the name of the errno.
func mksock() {
	for args := os.Args[1:]; len(args) >= 3; args = args[3:] {
		fd, err := unix.Socket(atoi(args[0]), atoi(args[1]), atoi(args[2]))
		var errno unix.Errno
		if errors.As(err, &errno) {
			fmt.Println(unix.ErrnoName(errno))
			continue
		}
		_ = unix.Close(fd)
		fmt.Println("ok")
	}
}

// useport CALL PORT…: prints what bind, connect, and send (a UDP message) or fastopen (a
// TCP connection by a message) give for each port of the loopback address, ok or the
// name of the errno.
func useport() {
	for args := os.Args[1:]; len(args) >= 2; args = args[2:] {
		to := &unix.SockaddrInet4{Port: atoi(args[1]), Addr: [4]byte{127, 0, 0, 1}}
		typ := unix.SOCK_STREAM
		if args[0] == "send" {
			typ = unix.SOCK_DGRAM
		}
		fd := must1(unix.Socket(unix.AF_INET, typ, 0))
		var err error
		switch args[0] {
		case "bind":
			err = unix.Bind(fd, to)
		case "connect":
			err = unix.Connect(fd, to)
		case "send":
			err = unix.Sendto(fd, []byte("x"), unix.MSG_NOSIGNAL, to)
		case "fastopen":
			err = unix.Sendto(fd, []byte("x"), unix.MSG_NOSIGNAL|unix.MSG_FASTOPEN, to)
		}
		var errno unix.Errno
		word := "ok"
		if errors.As(err, &errno) {
			word = unix.ErrnoName(errno)
		}
		fmt.Println(word)
		_ = unix.Close(fd)
	}
}

// withfd FD socket FAMILY TYPE PROTOCOL CMD… or withfd FD ring CMD…: executes
// the command with such a file open at the descriptor.
func withfd() {
	args := os.Args[1:]
	at, kind, args := atoi(args[0]), args[1], args[2:]
	var fd int
	var err error
	if kind == "ring" {
		fd, err = makeRing()
	} else {
		fd, err = unix.Socket(atoi(args[0]), atoi(args[1])|unix.SOCK_CLOEXEC, atoi(args[2]))
		args = args[3:]
	}
	if err == nil && fd == at {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	} else if err == nil {
		err = unix.Dup3(fd, at, 0)
	}
	must(err)
	become(args)
}

// nobody CMD…: executes the command as the user 65534 with no capabilities. A
// user who is not root is nobody enough.
func nobody() {
	if os.Geteuid() != 0 {
		become(os.Args[1:])
	}
	// The directories of testscript are for its user only.
	for _, dir := range []string{filepath.Dir(must1(exec.LookPath(os.Args[1]))), must1(os.Getwd())} {
		for ; strings.Contains(dir, "script"); dir = filepath.Dir(dir) {
			must(os.Chmod(dir, 0o755))
		}
	}
	must(syscall.Setgroups(nil))
	must(syscall.Setgid(65534))
	must(syscall.Setuid(65534))
	become(os.Args[1:])
}

// makeRing returns an io_uring of one entry.
func makeRing() (int, error) {
	params := new([120]byte) // struct io_uring_params
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, reflect.ValueOf(params).Pointer(), 0)
	runtime.KeepAlive(params)
	if errno != 0 {
		return -1, fmt.Errorf("io_uring_setup: %w", errno)
	}
	return int(fd), nil
}

func become(args []string) {
	must(syscall.Exec(must1(exec.LookPath(args[0])), args, os.Environ()))
}

func atoi(word string) int { return must1(strconv.Atoi(word)) }

func must1[T any](value T, err error) T {
	must(err)
	return value
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(99)
	}
}
