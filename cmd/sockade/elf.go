// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// What the kernel reads of a file to find out what it is (BINPRM_BUF_SIZE in
// linux/binfmts.h), and how often it follows a #! line (fs/exec.c).
const (
	headSize        = 256
	maxInterpreters = 5
)

// Fields of an ELF header (elf(5)).
const (
	elfMagic     = "\x7fELF"
	elfClassAt   = 4
	elfClass32   = 1
	elfMachineAt = 18
	elfMachine86 = 3 // EM_386
)

// isX86Program32 tells whether executing the file starts a 32-bit x86 program:
// the file itself, or the interpreter that its first line names. A file that
// cannot be read counts as none: this is for a note, not for a decision.
func isX86Program32(file string) bool {
	for range maxInterpreters {
		head, err := readHead(file)
		if err != nil {
			return false
		}
		interpreter, ok := interpreterOf(head)
		if !ok {
			return len(head) >= elfMachineAt+2 && bytes.HasPrefix(head, []byte(elfMagic)) && head[elfClassAt] == elfClass32 &&
				binary.LittleEndian.Uint16(head[elfMachineAt:]) == elfMachine86
		}
		file = interpreter
	}
	return false
}

// interpreterOf reads a line such as "#! /bin/sh -e".
func interpreterOf(head []byte) (string, bool) {
	line, ok := bytes.CutPrefix(head, []byte("#!"))
	if !ok {
		return "", false
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	words := bytes.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == 0 })
	if len(words) == 0 {
		return "", false
	}
	return string(words[0]), true
}

// readHead opens the file by itself: package os would set up its poller, which
// takes four system calls that every run would pay for.
func readHead(file string) ([]byte, error) {
	// A FIFO would make a plain open wait for a writer.
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	head := make([]byte, headSize)
	n, err := unix.Pread(fd, head, 0)
	if err != nil {
		return nil, err
	}
	return head[:n], nil
}
