// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"math"

	"github.com/sockade/sockade/engine"
)

// request is one point of the space: the low words of the arguments, and what
// is above them.
type request struct {
	engine.Request
	upper uint32
}

// arg is the register for a low word.
func (r request) arg(low int32) uintptr { return uintptr(uint64(r.upper)<<32 | uint64(uint32(low))) }

// The values that the space is made of. Two are functions, as every start of
// sockade would pay for filling variables.
func families() []int32 {
	return ints(-1, 64, 255, 256, 65536+1, 65536+2, 1<<24+2, math.MaxInt32, math.MinInt32, math.MinInt32+2)
}

func protocols() []int32 {
	return ints(0, 300, 512, 768, 1024, 32767, 65534, 65535, 65536, 65536+6, 65536+17, 0x7fff0300, 0x01000006,
		math.MaxInt32, -1, -2, -255, -65536, -65536+6, math.MinInt32, math.MinInt32+6, math.MinInt32+17)
}

var (
	// flags are or-ed to types 0 to 15; all but the first three are garbage.
	flags = []int32{
		engine.SockNonblock, engine.SockCloexec, engine.TypeFlags,
		1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8, 1 << 9, 1 << 10, 1 << 12, 1 << 16, 1 << 18, 1 << 20, 1 << 24, 1 << 30,
		math.MinInt32, ^engine.TypeMask, ^(engine.TypeMask | engine.TypeFlags), 1<<4 | engine.SockCloexec,
	}
	// flagProtocols are those that the flags are combined with.
	flagProtocols = []int32{0, 1, 6, 17, 132, 768, 65536 + 6, -1}
	uppers        = []uint32{0, 0xdeadbeef, 1, math.MaxUint32}
)

const types = 16

// ints returns from to to, both included, and the others.
func ints(from, to int32, others ...int32) []int32 {
	var out []int32
	for v := from; v <= to; v++ {
		out = append(out, v)
	}
	return append(out, others...)
}

// spaceSize is how many requests [eachRequest] yields.
func spaceSize() int {
	return len(families()) * types * (2*len(protocols()) + len(flags)*len(flagProtocols))
}

// eachRequest yields the space in a fixed order: every family with every type
// and every protocol, upper halves zero and not; and every family with every
// type, every pattern of flags and some protocols. thin keeps every thin-th.
func eachRequest(thin int, yield func(i int, r request)) {
	i := 0
	protocols := protocols()
	emit := func(family, typ, protocol int32, upper uint32) {
		if i%thin == 0 {
			yield(i, request{engine.Request{Family: family, Type: typ, Protocol: protocol}, upper})
		}
		i++
	}
	for _, family := range families() {
		for typ := range int32(types) {
			for n, protocol := range protocols {
				emit(family, typ, protocol, 0)
				emit(family, typ, protocol, uppers[1+n%3])
			}
			for n, flag := range flags {
				for m, protocol := range flagProtocols {
					emit(family, typ|flag, protocol, uppers[(n+m)%4])
				}
			}
		}
	}
}

// verdicts is the reference for one policy, looked up and not computed for
// every request: a policy of hundreds of rules is asked millions of times.
type verdicts struct {
	policy engine.Policy
	limits engine.Limits
	known  map[engine.Request]engine.Verdict
}

func newVerdicts(p engine.Policy, l engine.Limits) *verdicts {
	return &verdicts{p, l, map[engine.Request]engine.Verdict{}}
}

func (v *verdicts) of(r engine.Request) engine.Verdict {
	if r.Type&^(engine.TypeMask|engine.TypeFlags) == 0 {
		r.Type &= engine.TypeMask
	}
	verdict, ok := v.known[r]
	if !ok {
		verdict = v.policy.Decide(r, v.limits)
		v.known[r] = verdict
	}
	return verdict
}
