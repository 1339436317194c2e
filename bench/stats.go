// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// confidence is that of every interval.
const confidence = 0.95

// Interval is a median and where it is by 95 %.
type Interval struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// summarize returns the interval of values, by order statistics: it assumes nothing
// about their distribution. Fewer than six give an interval without bounds.
func summarize(values []float64) Interval {
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds), confidence)
	return Interval{s.Center, max(s.Lo, -unbounded), min(s.Hi, unbounded)}
}

// unbounded stands for infinity, which JSON does not have.
const unbounded = math.MaxFloat64

func (i Interval) known() bool { return i.Low > -unbounded && i.High < unbounded }

// String returns the figure as people read it: 1234 (1230 to 1240).
func (i Interval) String() string {
	if !i.known() {
		return fmt.Sprintf("%.4g (too few samples for an interval)", i.Median)
	}
	return fmt.Sprintf("%.4g (%.4g to %.4g)", i.Median, i.Low, i.High)
}

// Comparison is one variant against another, sample by sample of the same round.
type Comparison struct {
	// To names the other.
	To Variant `json:"to"`
	// Ratio is above 1 for a variant that takes longer.
	Ratio Interval `json:"ratio"`
	// Extra is how much longer in nanoseconds, in instructions where one is the other.
	Extra Interval `json:"extra"`
}

// compare takes the samples of two variants by rounds.
func compare(to Variant, values, others []float64) Comparison {
	n := min(len(values), len(others))
	ratios, extras := make([]float64, n), make([]float64, n)
	for i := range n {
		ratios[i], extras[i] = values[i]/others[i], values[i]-others[i]
	}
	return Comparison{to, summarize(ratios), summarize(extras)}
}

// Differs tells whether a difference was seen: the interval does not include 1.
func (c Comparison) Differs() bool {
	return c.Ratio.known() && (c.Ratio.Low > 1 || c.Ratio.High < 1)
}

// NoDifference is what is said where a digit would claim more than is known.
const NoDifference = "no difference seen"

// String returns 1.03 (1.02 to 1.04), or that no difference was seen.
func (c Comparison) String() string {
	if !c.Differs() {
		return NoDifference
	}
	digits := 2
	if math.Abs(c.Ratio.High-c.Ratio.Low) < 0.005 || math.Abs(c.Ratio.Median-1) < 0.01 {
		digits = 3
	}
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, c.Ratio.Median, digits, c.Ratio.Low, digits, c.Ratio.High)
}
