// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"golang.org/x/net/bpf"
)

func toBytes(p Program) (b []byte) {
	for _, ins := range p {
		b = binary.LittleEndian.AppendUint16(b, ins.Op)
		b = append(b, ins.Jt, ins.Jf)
		b = binary.LittleEndian.AppendUint32(b, ins.K)
	}
	return b
}

func fromBytes(b []byte) (p Program) {
	for ; len(b) >= 8; b = b[8:] {
		p = append(p, bpf.RawInstruction{
			Op: binary.LittleEndian.Uint16(b), Jt: b[2], Jf: b[3], K: binary.LittleEndian.Uint32(b[4:]),
		})
	}
	return p
}

// FuzzCheckRun: nothing panics; a program that passes Check always comes to a
// verdict; and what is constant for a call is what every such call gets.
func FuzzCheckRun(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		p := randomProgram(r, 2+r.IntN(30))
		f.Add(toBytes(p), int32(41), uint32(0xc000003e), uint64(3), uint64(1)<<33)
		mutate(r, p)
		f.Add(toBytes(p), int32(-1), uint32(3), uint64(0), uint64(0))
	}
	f.Fuzz(func(t *testing.T, program []byte, nr int32, arch uint32, ip, arg uint64) {
		p := fromBytes(program)
		_ = p.String()
		verdict, executed, err := p.Run(Data{nr, arch, ip, [6]uint64{arg, arg + 1, arg * 3, ^arg, 0, 1}})
		constant, isConstant := ConstantFor(p, nr, arch)
		if Check(p) != nil {
			return
		}
		if err != nil || executed < 1 || executed > len(p) {
			t.Fatalf("%d instructions executed, %v\n%s", executed, err, p)
		}
		if isConstant && constant != verdict {
			t.Fatalf("constant %#x, verdict %#x\n%s", constant, verdict, p)
		}
	})
}
