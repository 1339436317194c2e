// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	const ja, jeq, jeqX = opJa, classJmp | uint16(JEQ), classJmp | uint16(JEQ) | srcX
	ret := Program{{Op: opRetK, K: RetAllow}}
	long := func(n int) Program {
		p := make(Program, n)
		for i := range p {
			p[i] = ret[0]
		}
		return p
	}
	for _, c := range []struct {
		name string
		p    Program
		want string // part of the error, empty: accepted
	}{
		{"empty", nil, "program has 0 instructions"},
		{"ret k", ret, ""},
		{"ret a", Program{{Op: opRetA}}, ""},
		{"ret x", Program{{Op: 0x0e}}, "instruction 0 (?"},
		{"longest", long(4096), ""},
		{"too long", long(4097), "program has 4097 instructions; the kernel takes 1 to 4096"},
		{"no ret", append(long(3), Program{{Op: opLdImm}}...), "instruction 3 (ld   #0x0): the last instruction has to be a ret"},
		{"ends in ja", append(long(1), Program{{Op: ja}}...), "instruction 1 (ja   2): jump behind"},
		{"nr", append(Program{{Op: opLdAbs, K: 0}}, ret...), ""},
		{"last word", append(Program{{Op: opLdAbs, K: 60}}, ret...), ""},
		{"behind the end", append(Program{{Op: opLdAbs, K: 64}}, ret...), "instruction 0 (ld   [64]): offset is behind"},
		{"ancillary", append(Program{{Op: opLdAbs, K: 0xfffff000}}, ret...), "behind"},
		{"unaligned", append(Program{{Op: opLdAbs, K: 2}}, ret...), "multiple of 4"},
		{"halfword", append(Program{{Op: 0x28}}, ret...), "not an instruction"},
		{"byte", append(Program{{Op: 0x30}}, ret...), "not an instruction"},
		{"indirect", append(Program{{Op: 0x40}}, ret...), "not an instruction"},
		{"msh", append(Program{{Op: 0xb1}}, ret...), "not an instruction"},
		{"mod k", append(Program{{Op: 0x94, K: 1}}, ret...), "not an instruction"},
		{"mod x", append(Program{{Op: 0x9c}}, ret...), "not an instruction"},
		{"neg x", append(Program{{Op: opNeg | srcX}}, ret...), "not an instruction"},
		{"high byte", append(Program{{Op: 0x0120}}, ret...), "not an instruction"},
		{"ld len", append(Program{{Op: opLdLen, K: 1 << 31}}, ret...), ""},
		{"ldx len", append(Program{{Op: opLdxLen}}, ret...), ""},
		{"div 0", append(Program{{Op: classAlu | aluDiv}}, ret...), "instruction 0 (div  #0x0): division by zero"},
		{"div 1", append(Program{{Op: classAlu | aluDiv, K: 1}}, ret...), ""},
		{"div x", append(Program{{Op: classAlu | aluDiv | srcX}}, ret...), ""},
		{"lsh 31", append(Program{{Op: classAlu | aluLsh, K: 31}}, ret...), ""},
		{"lsh 32", append(Program{{Op: classAlu | aluLsh, K: 32}}, ret...), "shift by more"},
		{"rsh 32", append(Program{{Op: classAlu | aluRsh, K: 32}}, ret...), "shift by more"},
		{"rsh x", append(Program{{Op: classAlu | aluRsh | srcX, K: 32}}, ret...), ""},
		{"ja 0", append(Program{{Op: ja}}, ret...), ""},
		{"ja 1", append(Program{{Op: ja, K: 1}}, ret...), "behind"},
		{"ja back", append(Program{{Op: ja, K: ^uint32(0)}}, ret...), "behind"},
		{"jeq", append(Program{{Op: jeq, Jt: 1, Jf: 0}}, long(2)...), ""},
		{"jt far", append(Program{{Op: jeq, Jt: 2, Jf: 0}}, long(2)...), "behind"},
		{"jf far", append(Program{{Op: jeqX, Jt: 0, Jf: 2}}, long(2)...), "behind"},
		{"unused fields", append(Program{{Op: opTax, Jt: 255, Jf: 255, K: 99}}, ret...), ""},
		{"m 15", append(Program{{Op: opSt, K: 15}, {Op: opLdxMem, K: 15}}, ret...), ""},
		{"m 16", append(Program{{Op: opStx, K: 16}}, ret...), "16 scratch cells"},
		{"read m 16", append(Program{{Op: opLdMem, K: 16}}, ret...), "16 scratch cells"},
		{"unwritten", append(Program{{Op: opSt, K: 1}, {Op: opLdMem, K: 2}}, ret...), "instruction 1 (ld   M[2]): the scratch cell may be read"},
		{"written on one path", append(Program{{Op: jeq, Jt: 0, Jf: 1}, {Op: opSt}, {Op: opLdMem}}, ret...), "instruction 2"},
		{"written on both paths", append(Program{{Op: jeq, Jt: 0, Jf: 2}, {Op: opSt}, {Op: ja, K: 1}, {Op: opStx}, {Op: opLdMem}}, ret...), ""},
		{"jump past the write", append(Program{{Op: ja, K: 1}, {Op: opSt}, {Op: opLdMem}}, ret...), "instruction 2"},
		{"unreachable behind ja", append(Program{{Op: ja, K: 1}, {Op: opLdMem}}, ret...), ""},
		{"unreachable behind ret", append(long(1), append(Program{{Op: opLdMem}}, ret...)...), "instruction 1"},
	} {
		err := Check(c.p)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestCheckRing: a filter of io_uring is given less to load than one of seccomp.
func TestCheckRing(t *testing.T) {
	for offset, ok := range map[uint32]bool{0: true, 36: true, 40: false, 60: false, 18: false} {
		p := Program{{Op: opLdAbs, K: offset}, {Op: opRetA}}
		if err := CheckRing(p); (err == nil) != ok {
			t.Errorf("load at %d: %v, want it accepted: %v", offset, err, ok)
		}
	}
	for want, p := range map[uint32]Program{
		1:  {{Op: opLdAbs, K: 16}, {Op: opRetA}},
		2:  {{Op: opLdAbs, K: 20}, {Op: opRetA}},
		3:  {{Op: opLdAbs, K: 24}, {Op: opRetA}},
		0:  {{Op: opLdAbs, K: 28}, {Op: opRetA}},
		40: {{Op: opLdLen}, {Op: opRetA}},
	} {
		if got, _, err := p.RunRing(RingData{Family: 1, SockType: 2, Protocol: 3}); err != nil || got != want {
			t.Errorf("%v returns %d, %v; want %d", p, got, err, want)
		}
	}
}
