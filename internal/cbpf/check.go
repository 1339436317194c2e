// SPDX-License-Identifier: Apache-2.0

package cbpf

import "fmt"

// Check accepts exactly the programs that SECCOMP_SET_MODE_FILTER accepts and
// otherwise names the instruction and what is wrong with it. It joins
// bpf_check_basics_ok, bpf_check_classic and check_load_and_stores of
// net/core/filter.c with seccomp_check_filter of kernel/seccomp.c.
func Check(p Program) error { return p.check(dataSize) }

// CheckRing is Check for IORING_REGISTER_BPF_FILTER: io_uring_check_cbpf_filter of
// io_uring/bpf_filter.c differs only in what there is to load.
func CheckRing(p Program) error { return p.check(ringDataSize) }

func (p Program) check(size uint32) error {
	if len(p) == 0 || len(p) > MaxInsns {
		return fmt.Errorf("program has %d instructions; the kernel takes 1 to %d", len(p), MaxInsns)
	}
	for pc := range p {
		if reason := p.invalid(pc, size); reason != "" {
			return p.wrong(pc, reason)
		}
	}
	if last := len(p) - 1; p[last].Op != opRetK && p[last].Op != opRetA {
		return p.wrong(last, "the last instruction has to be a ret")
	}
	return p.checkScratch()
}

func (p Program) wrong(pc int, reason string) error {
	return fmt.Errorf("instruction %d (%s): %s", pc, disassemble(pc, p[pc]), reason)
}

// invalid says what is wrong with an instruction wherever it may stand.
// The kernel looks at no operand that an instruction does not use. size is that
// of the data that the program is given.
func (p Program) invalid(pc int, size uint32) string {
	ins := p[pc]
	switch ins.Op {
	case opLdAbs:
		if ins.K >= size {
			return "offset is behind the end of the data"
		}
		if ins.K%4 != 0 {
			return "offset is not a multiple of 4"
		}
	case opLdMem, opLdxMem, opSt, opStx:
		if ins.K >= memWords {
			return fmt.Sprintf("there are %d scratch cells", memWords)
		}
	case opLdImm, opLdLen, opLdxImm, opLdxLen, opTax, opTxa, opNeg, opRetK, opRetA:
	case opJa:
		if uint64(ins.K) >= uint64(len(p)-pc-1) {
			return "jump behind the end of the program"
		}
	default:
		return p.invalidOperation(pc)
	}
	return ""
}

// invalidOperation is invalid for the instructions that have an operation and
// a source.
func (p Program) invalidOperation(pc int) string {
	ins := p[pc]
	src := ins.Op & srcX
	switch op := ins.Op &^ srcX; op {
	case classJmp | uint16(JEQ), classJmp | uint16(JGT), classJmp | uint16(JGE), classJmp | uint16(JSET):
		if pc+int(max(ins.Jt, ins.Jf))+1 >= len(p) {
			return "jump behind the end of the program"
		}
	case classAlu | aluDiv:
		if src != srcX && ins.K == 0 {
			return "division by zero"
		}
	case classAlu | aluLsh, classAlu | aluRsh:
		if src != srcX && ins.K >= 32 {
			return "shift by more than 31 bits"
		}
	case classAlu | aluAdd, classAlu | aluSub, classAlu | aluMul, classAlu | aluAnd, classAlu | aluOr, classAlu | aluXor:
	default:
		return "not an instruction that seccomp takes"
	}
	return ""
}

// checkScratch is check_load_and_stores: no cell of M[] may be read that some
// path to it has not written. Like the kernel's, it lets the cells that are
// valid before a ret count for the unreachable way past it.
func (p Program) checkScratch() error {
	invalid := make([]uint16, len(p)) // by jump target: cells that some jump leaves unwritten
	valid := uint16(0)
	for pc, ins := range p {
		valid &^= invalid[pc]
		cell := uint16(1) << (ins.K % memWords)
		switch {
		case ins.Op == opSt, ins.Op == opStx:
			valid |= cell
		case ins.Op == opLdMem, ins.Op == opLdxMem:
			if valid&cell == 0 {
				return p.wrong(pc, "the scratch cell may be read before it is written")
			}
		case ins.Op == opJa:
			invalid[pc+1+int(ins.K)] |= ^valid
			valid = ^uint16(0) // what follows is reached by jumps only
		case ins.Op&7 == classJmp:
			invalid[pc+1+int(ins.Jt)] |= ^valid
			invalid[pc+1+int(ins.Jf)] |= ^valid
			valid = ^uint16(0)
		}
	}
	return nil
}
