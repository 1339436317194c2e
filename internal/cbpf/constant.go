// SPDX-License-Identifier: Apache-2.0

package cbpf

// ConstantFor runs the program as far as the kernel does when a filter is
// attached (seccomp_is_const_allow, kernel/seccomp.c, since 5.11): with only
// the number and the arch known, and only the instructions that it emulates.
// Where that ends in a constant [RetAllow], the kernel sets the call's bit in
// its bitmap and never runs the program for it.
//
// The kernel's bitmap covers the numbers of its own table (not x32) and of
// one compat arch; and uretprobe and uprobe pass whatever the filter says.
func ConstantFor(p Program, nr int32, arch uint32) (verdict uint32, constant bool) {
	a := uint32(0)
	for pc := 0; pc < len(p); pc++ {
		ins := p[pc]
		switch ins.Op {
		case opLdAbs:
			switch ins.K {
			case 0:
				a = uint32(nr)
			case 4:
				a = arch
			default:
				return 0, false
			}
		case opRetK:
			return ins.K, true
		case opJa:
			if uint64(ins.K) >= uint64(len(p)) { // never passes Check; keep int arithmetic safe
				return 0, false
			}
			pc += int(ins.K)
		case classJmp | uint16(JEQ), classJmp | uint16(JGE), classJmp | uint16(JGT), classJmp | uint16(JSET):
			if Op(ins.Op&0xf0).holds(a, ins.K) {
				pc += int(ins.Jt)
			} else {
				pc += int(ins.Jf)
			}
		case classAlu | aluAnd:
			a &= ins.K
		default:
			return 0, false
		}
	}
	return 0, false
}
