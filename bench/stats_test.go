// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// TestSummarize: the median of 95 of 100 samples of a known distribution is in the
// interval, or thereabouts; and too few samples give none.
func TestSummarize(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	const runs = 1000
	inside := 0
	for range runs {
		values := make([]float64, 21)
		for i := range values {
			values[i] = 100 + rnd.ExpFloat64() // skewed, as times are
		}
		const median = 100 + 0.6931471805599453
		if s := summarize(values); s.Low <= median && median <= s.High {
			inside++
		}
	}
	if inside < 940 {
		t.Errorf("the median is in %d of %d intervals of 95 %%", inside, runs)
	}
	few := summarize([]float64{1, 2, 3})
	if few.known() {
		t.Errorf("3 samples give an interval: %v", few)
	}
	if _, err := json.Marshal(few); err != nil {
		t.Error(err)
	}
}

// TestCompare: a difference within the noise is none, one that every round has is one,
// and a machine that changes its speed from round to round hides none.
func TestCompare(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var noise, base, more, same []float64
	for range 60 {
		speed := 1 + rnd.Float64() // the whole machine
		jitter := func() float64 { return 1 + 0.01*rnd.Float64() }
		base = append(base, 1000*speed*jitter())
		more = append(more, 1050*speed*jitter())
		same = append(same, 1000*speed*jitter())
		noise = append(noise, 1000*(0.5+rnd.Float64()))
	}
	if c := compare(Variant{State: None}, more, base); !c.Differs() || c.Ratio.Median < 1.04 || c.Ratio.Median > 1.06 {
		t.Errorf("5 %% more are %v", c)
	}
	for name, values := range map[string][]float64{"the same": same, "noise": noise} {
		other := base
		if name == "noise" {
			other = shuffled(rnd, noise)
		}
		if c := compare(Variant{State: None}, values, other); c.String() != NoDifference {
			t.Errorf("%s is %v %+v", name, c, c.Ratio)
		}
	}
	if c := compare(Variant{}, []float64{2, 2}, []float64{1, 1}); c.String() != NoDifference {
		t.Errorf("two rounds say %v", c)
	}
	if c := compare(Variant{}, []float64{90, 90, 90, 90, 90, 90}, []float64{100, 100, 100, 100, 100, 100}); c.String() != "0.900 (0.900 to 0.900)" || c.Extra.Median != -10 {
		t.Errorf("%v %v", c, c.Extra)
	}
}

func shuffled(rnd *rand.Rand, values []float64) []float64 {
	out := append([]float64(nil), values...)
	rnd.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
