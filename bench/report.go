// SPDX-License-Identifier: Apache-2.0

package bench

// Report is what a run found. Its JSON is what --json writes.
type Report struct {
	Environment Environment `json:"environment"`
	Size        string      `json:"size"`
	Seed        uint64      `json:"seed"`
	CPU         int         `json:"cpu"`
	Rounds      int         `json:"rounds"`
	Seconds     float64     `json:"seconds"`

	Scenarios []Scenario `json:"scenarios"`
	States    []State    `json:"states"`
	// Unavailable are the states that this machine does not have, and Skipped the
	// scenarios that one of them does not have.
	Unavailable []Missing `json:"unavailable"`
	Skipped     []Missing `json:"skipped"`

	Figures []Figure  `json:"figures"`
	Applied []Applied `json:"applied"`
	Starts  []Start   `json:"starts"`
	Loads   []Load    `json:"loads"`
}

// Missing is something that was not measured.
type Missing struct {
	Scenario string `json:"scenario,omitempty"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
}

// Figure is what one operation of a scenario takes in one variant.
type Figure struct {
	Scenario string `json:"scenario"`
	Variant
	// N is how many operations each sample is of.
	N int `json:"n"`
	// NS are nanoseconds, which in a guest that counts instructions are these.
	NS      Interval  `json:"ns"`
	Samples []float64 `json:"samples"`
	// None and Floor compare it with no sandbox and with the floor of its mechanism.
	None  *Comparison `json:"none,omitempty"`
	Floor *Comparison `json:"floor,omitempty"`
}

// Applied is what a state costs once, when a process enters it.
type Applied struct {
	Variant
	Inquire  Interval `json:"inquire_ns"`
	Probe    Interval `json:"probe_ns"`
	Plan     Interval `json:"plan_ns"`
	Restrict Interval `json:"restrict_ns"`
	Heap     Interval `json:"heap_bytes"`
	Resident Interval `json:"resident_bytes"`
}

// Start is how long a command takes from its start to its end, against the first.
type Start struct {
	Command string      `json:"command"`
	MS      Interval    `json:"ms"`
	Against *Comparison `json:"against,omitempty"`
}

// Load is a server under load in one state.
type Load struct {
	Server string `json:"server"`
	State  string `json:"state"`
	// PerSecond are requests, and P99 the time that 99 of 100 took at most.
	PerSecond Interval `json:"per_second"`
	P99       Interval `json:"p99_us"`
	// Throughput is above 1 for a server that does less in this state than in none;
	// Latency for one whose slowest answers are slower.
	Throughput *Comparison `json:"throughput,omitempty"`
	Latency    *Comparison `json:"latency,omitempty"`
}

// Find returns the figure of a scenario in a variant; nil if there is none.
func (r *Report) Find(scenario string, v Variant) *Figure {
	for i := range r.Figures {
		if f := &r.Figures[i]; f.Scenario == scenario && f.Variant == v {
			return f
		}
	}
	return nil
}

// compare fills in what each figure is compared with.
func (r *Report) compare() {
	for i := range r.Figures {
		f := &r.Figures[i]
		s, _ := find(f.Scenario)
		if none := r.Find(f.Scenario, Variant{State: None}); none != nil && none != f {
			c := compare(none.Variant, f.Samples, none.Samples)
			f.None = &c
		}
		if v, ok := f.floorOf(s); ok {
			if floor := r.Find(f.Scenario, v); floor != nil {
				c := compare(v, f.Samples, floor.Samples)
				f.Floor = &c
			}
		}
	}
}

// Instructions tells whether the clock of the machine counts instructions.
func (r *Report) Instructions() bool { return r.Size == Guest.String() }
