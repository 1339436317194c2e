// SPDX-License-Identifier: Apache-2.0

package cbpf

import "fmt"

// Sizes of struct seccomp_data and struct io_uring_bpf_ctx.
const (
	dataSize     = 64
	ringDataSize = 40
)

// Data is struct seccomp_data, what a filter sees of a system call.
type Data struct {
	Nr   int32
	Arch uint32
	IP   uint64
	Args [6]uint64
}

// word is the 32-bit word at a checked offset. The kernel's words are
// native-endian; every arch that Sockade supports is little-endian, so the
// low half of a 64-bit field is always the one at the lower offset.
func (d *Data) word(offset uint32) uint32 {
	switch offset {
	case 0:
		return uint32(d.Nr)
	case 4:
		return d.Arch
	}
	v := d.IP
	if offset >= 16 {
		v = d.Args[(offset-16)/8]
	}
	return uint32(v >> (offset % 8 * 8))
}

// RingData is the part of struct io_uring_bpf_ctx (linux/io_uring/bpf_filter.h)
// that is about the socket of an IORING_OP_SOCKET. All else reads as 0.
type RingData struct{ Family, SockType, Protocol uint32 }

func (d *RingData) word(offset uint32) uint32 {
	switch offset {
	case 16:
		return d.Family
	case 20:
		return d.SockType
	case 24:
		return d.Protocol
	}
	return 0
}

// machine is the state of a running program. The kernel clears A and X first
// (bpf_convert_filter); M[] it does not, so written keeps track.
type machine struct {
	a, x    uint32
	m       [memWords]uint32
	written uint16
}

// Run runs the program as the kernel does and says what it returns and how
// many instructions that took. A program that passes [Check] runs without an
// error. One that does not may: what is not executed is not looked at.
func (p Program) Run(d Data) (verdict uint32, executed int, err error) {
	return p.run(d.word, dataSize)
}

// RunRing is Run for a filter of io_uring.
func (p Program) RunRing(d RingData) (verdict uint32, executed int, err error) {
	return p.run(d.word, ringDataSize)
}

func (p Program) run(word func(offset uint32) uint32, size uint32) (verdict uint32, executed int, err error) {
	if len(p) == 0 || len(p) > MaxInsns {
		return 0, 0, p.check(size)
	}
	var s machine
	for pc := 0; pc < len(p); pc++ {
		if reason := p.invalid(pc, size); reason != "" {
			return 0, executed, p.wrong(pc, reason)
		}
		executed++
		ins := p[pc]
		switch ins.Op {
		case opRetK:
			return ins.K, executed, nil
		case opRetA:
			return s.a, executed, nil
		case opJa:
			pc += int(ins.K)
		case opLdAbs:
			s.a = word(ins.K)
		case opLdMem, opLdxMem:
			if s.written&(1<<ins.K) == 0 {
				return 0, executed, p.wrong(pc, "the scratch cell is read before it is written")
			}
			s.move(ins.Op, ins.K, size)
		default:
			switch ins.Op & 7 {
			case classJmp:
				pc += s.compare(ins.Op, ins.K, ins.Jt, ins.Jf)
			case classAlu:
				if divZero := s.compute(ins.Op, ins.K); divZero {
					// bpf_convert_filter: a division by X == 0 ends the
					// program with 0, which is SECCOMP_RET_KILL_THREAD.
					return 0, executed, nil
				}
			default:
				s.move(ins.Op, ins.K, size)
			}
		}
	}
	return 0, executed, fmt.Errorf("instruction %d: the program ends without a ret", len(p))
}

// move runs the instructions that copy a value.
func (s *machine) move(op uint16, k, size uint32) {
	switch op {
	case opLdImm:
		s.a = k
	case opLdLen: // the kernel's check makes it an immediate
		s.a = size
	case opLdMem:
		s.a = s.m[k]
	case opLdxImm:
		s.x = k
	case opLdxLen:
		s.x = size
	case opLdxMem:
		s.x = s.m[k]
	case opSt:
		s.m[k], s.written = s.a, s.written|1<<k
	case opStx:
		s.m[k], s.written = s.x, s.written|1<<k
	case opTax:
		s.x = s.a
	case opTxa:
		s.a = s.x
	default:
		panic(fmt.Sprintf("BUG(cbpf): opcode %#x", op))
	}
}

func (s *machine) operand(op uint16, k uint32) uint32 {
	if op&srcX != 0 {
		return s.x
	}
	return k
}

func (s *machine) compare(op uint16, k uint32, jt, jf uint8) int {
	if Op(op&0xf0).holds(s.a, s.operand(op, k)) {
		return int(jt)
	}
	return int(jf)
}

func (s *machine) compute(op uint16, k uint32) (divZero bool) {
	v := s.operand(op, k)
	switch op &^ srcX {
	case classAlu | aluAdd:
		s.a += v
	case classAlu | aluSub:
		s.a -= v
	case classAlu | aluMul:
		s.a *= v
	case classAlu | aluDiv:
		if v == 0 {
			return true
		}
		s.a /= v
	case classAlu | aluAnd:
		s.a &= v
	case classAlu | aluOr:
		s.a |= v
	case classAlu | aluXor:
		s.a ^= v
	case classAlu | aluLsh: // eBPF shifts are modulo the width (___bpf_prog_run)
		s.a <<= v % 32
	case classAlu | aluRsh:
		s.a >>= v % 32
	case opNeg:
		s.a = -s.a
	default:
		panic(fmt.Sprintf("BUG(cbpf): opcode %#x", op))
	}
	return false
}
