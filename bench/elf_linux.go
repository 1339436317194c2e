// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"encoding/binary"
	"runtime"
)

// exitCode is machine code of exit(0), and the ELF number of the machine.
var exitCode = map[string]struct {
	machine uint16
	code    []byte
}{
	"amd64":   {62, []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05}},                               // mov $60,%eax; xor %edi,%edi; syscall
	"arm64":   {183, []byte{0xa8, 0x0b, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}}, // mov x8,#93; mov x0,#0; svc #0
	"riscv64": {243, []byte{0x93, 0x08, 0xd0, 0x05, 0x13, 0x05, 0x00, 0x00, 0x73, 0x00, 0x00, 0x00}}, // li a7,93; li a0,0; ecall
}

// smallestProgram returns an ELF file that has nothing but exit(0), so that exec costs
// what the kernel does and not what a C library does at start; nil where there is none.
func smallestProgram() []byte {
	m, ok := exitCode[runtime.GOARCH]
	if !ok {
		return nil
	}
	const base, header = 0x400000, 64 + 56
	var b bytes.Buffer
	for _, v := range []any{
		[16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, // 64 bits, little-endian
		uint16(2), m.machine, uint32(1),        // an executable
		uint64(base + header), uint64(64), uint64(0), uint32(0), // entry, program headers, no sections
		uint16(64), uint16(56), uint16(1), uint16(0), uint16(0), uint16(0),
		uint32(1), uint32(5), uint64(0), uint64(base), uint64(base), // one segment to load, read and execute
		uint64(header + len(m.code)), uint64(header + len(m.code)), uint64(0x1000),
		m.code,
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // into memory
	}
	return b.Bytes()
}
