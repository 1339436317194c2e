// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"fmt"
	"strings"

	"golang.org/x/net/bpf"
)

// Program is a classic BPF program in the kernel's form: [bpf.RawInstruction]
// has the layout of struct sock_filter.
type Program []bpf.RawInstruction

// MaxInsns is BPF_MAXINSNS, the longest program the kernel takes.
const MaxInsns = 4096

// memWords is BPF_MEMWORDS, the number of scratch cells M[].
const memWords = 16

// What a seccomp filter returns (linux/seccomp.h). The kernel takes the lowest
// action, as a signed number, of all the filters of a task.
const (
	RetKillProcess uint32 = 0x80000000
	RetKillThread  uint32 = 0x00000000
	RetTrap        uint32 = 0x00030000
	RetUserNotif   uint32 = 0x7fc00000
	RetTrace       uint32 = 0x7ff00000
	RetLog         uint32 = 0x7ffc0000
	RetAllow       uint32 = 0x7fff0000

	retErrno uint32 = 0x00050000
)

// RetErrno is SECCOMP_RET_ERRNO with the errno that the call fails with. The
// kernel caps it at 4095; 0 makes the call "succeed" without being run.
func RetErrno(errno uint16) uint32 { return retErrno | uint32(errno) }

// Opcodes, spelled as in linux/bpf_common.h: class | size or operation | mode
// or source.
const (
	opLdImm  = 0x00 // BPF_LD | BPF_IMM
	opLdAbs  = 0x20 // BPF_LD | BPF_W | BPF_ABS
	opLdMem  = 0x60 // BPF_LD | BPF_MEM
	opLdLen  = 0x80 // BPF_LD | BPF_W | BPF_LEN
	opLdxImm = 0x01 // BPF_LDX | BPF_IMM
	opLdxMem = 0x61 // BPF_LDX | BPF_MEM
	opLdxLen = 0x81 // BPF_LDX | BPF_W | BPF_LEN
	opSt     = 0x02 // BPF_ST
	opStx    = 0x03 // BPF_STX
	opNeg    = 0x84 // BPF_ALU | BPF_NEG
	opJa     = 0x05 // BPF_JMP | BPF_JA
	opRetK   = 0x06 // BPF_RET | BPF_K
	opRetA   = 0x16 // BPF_RET | BPF_A
	opTax    = 0x07 // BPF_MISC | BPF_TAX
	opTxa    = 0x87 // BPF_MISC | BPF_TXA

	classAlu = 0x04
	classJmp = 0x05
	srcX     = 0x08 // BPF_X; BPF_K is 0

	aluAdd = 0x00
	aluSub = 0x10
	aluMul = 0x20
	aluDiv = 0x30
	aluOr  = 0x40
	aluAnd = 0x50
	aluLsh = 0x60
	aluRsh = 0x70
	aluXor = 0xa0
)

// Names by the operation's four bits, which are the upper half of a byte.
var (
	aluNames = [16]string{
		aluAdd >> 4: "add", aluSub >> 4: "sub", aluMul >> 4: "mul", aluDiv >> 4: "div", aluOr >> 4: "or",
		aluAnd >> 4: "and", aluLsh >> 4: "lsh", aluRsh >> 4: "rsh", aluXor >> 4: "xor",
	}
	jumpNames = [16]string{JEQ >> 4: "jeq", JGT >> 4: "jgt", JGE >> 4: "jge", JSET >> 4: "jset"}
)

// String is a stable disassembly: one line per instruction with its index;
// jump targets are indexes too, the one taken when the test holds first.
func (p Program) String() string {
	var s strings.Builder
	for pc, ins := range p {
		fmt.Fprintf(&s, "%4d: %s\n", pc, disassemble(pc, ins))
	}
	return s.String()
}

func disassemble(pc int, ins bpf.RawInstruction) string {
	k, next := ins.K, pc+1
	switch ins.Op {
	case opLdImm:
		return fmt.Sprintf("ld   #%#x", k)
	case opLdAbs:
		return fmt.Sprintf("ld   [%d]", k)
	case opLdMem:
		return fmt.Sprintf("ld   M[%d]", k)
	case opLdLen:
		return "ld   len"
	case opLdxImm:
		return fmt.Sprintf("ldx  #%#x", k)
	case opLdxMem:
		return fmt.Sprintf("ldx  M[%d]", k)
	case opLdxLen:
		return "ldx  len"
	case opSt:
		return fmt.Sprintf("st   M[%d]", k)
	case opStx:
		return fmt.Sprintf("stx  M[%d]", k)
	case opNeg:
		return "neg"
	case opTax:
		return "tax"
	case opTxa:
		return "txa"
	case opRetK:
		return fmt.Sprintf("ret  #%#x", k)
	case opRetA:
		return "ret  a"
	case opJa:
		return fmt.Sprintf("ja   %d", int64(next)+int64(k))
	}
	operand := fmt.Sprintf("#%#x", k)
	if ins.Op&srcX != 0 {
		operand = "x"
	}
	const known = 0xf0 | srcX
	if name := aluNames[ins.Op>>4&0xf]; name != "" && ins.Op&^known == classAlu {
		return fmt.Sprintf("%-4s %s", name, operand)
	}
	if name := jumpNames[ins.Op>>4&0xf]; name != "" && ins.Op&^known == classJmp {
		return fmt.Sprintf("%-4s %s, %d, %d", name, operand, next+int(ins.Jt), next+int(ins.Jf))
	}
	return fmt.Sprintf("?    op=%#04x jt=%d jf=%d k=%#x", ins.Op, ins.Jt, ins.Jf, k)
}
