// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// compatMode asks in a 64-bit program that switches itself to 32-bit code.
func compatMode(s *sandbox) (string, error) {
	dir, err := os.MkdirTemp("", "sockade-bypass-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "switch")
	if err := os.WriteFile(program, switchProgram(), 0o755); err != nil {
		return "", err
	}
	if err := s.enter(); err != nil {
		return "", err
	}
	err = exec.Command(program).Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Exited() {
		return "", err // it never exits with 0, which is stdin
	}
	if status := exit.ExitCode(); status > 128 { // -errno in 8 bits
		return seen(unix.Errno(256 - status))
	}
	return works, nil
}

// switchProgram is an ELF file of two pieces of code: a far jump into
// the 32-bit code segment, and there socket(AF_INET, SOCK_STREAM, 0) and exit
// with what it returned.
func switchProgram() []byte {
	const base, headers = 0x400000, 64 + 56
	const pointer, toCompat = 7, 13
	code := []byte{
		0xff, 0x2c, 0x25, headers + pointer, 0, base >> 16, 0, // ljmp *1f
		headers + toCompat, 0, base >> 16, 0, 0x23, 0, // 1: 2f in __USER32_CS, asm/segment.h
		// 2:
		0xb8, 0x67, 0x01, 0, 0, // mov $359, %eax: socket
		0xbb, unix.AF_INET, 0, 0, 0, // mov $AF_INET, %ebx
		0xb9, unix.SOCK_STREAM, 0, 0, 0, // mov $SOCK_STREAM, %ecx
		0x31, 0xd2, // xor %edx, %edx
		0xcd, 0x80, // int $0x80
		0x89, 0xc3, // mov %eax, %ebx
		0xb8, 1, 0, 0, 0, // mov $1, %eax: exit
		0xcd, 0x80, // int $0x80
	}
	size := uint64(headers + len(code))
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // 64 bits, little endian
	for _, v := range []any{
		uint16(2), uint16(62), uint32(1), // ET_EXEC, EM_X86_64
		uint64(base + headers), uint64(64), uint64(0), // entry, program headers, no sections
		uint32(0), uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), // PT_LOAD, read and execute
		uint64(0), uint64(base), uint64(base), size, size, uint64(4096),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.Write(code)
	return b.Bytes()
}
