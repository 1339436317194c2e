// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what is measured. The zero value measures all in the usual time.
type Options struct {
	Size Size
	// Scenarios and States are the only ones to measure; empty for all. No sandbox and
	// the floors are measured in any case.
	Scenarios, States []string
	// CPU is the one to measure on, plus one; 0 takes the last that there is.
	CPU int
	// Seed is where the order in a round follows from.
	Seed uint64
	// Progress is told what is done next, and how much of all is done.
	Progress func(done float64, what string)
}

// Size says how long a run takes.
type Size int

// The sizes.
const (
	Usual Size = iota
	Quick
	Full
	// Guest is for machines that count instructions: the fewest samples.
	Guest
)

var sizes = map[Size]struct {
	name   string
	rounds int // for each time that a world is there
	cycles int // how often it is there, where there are several
	sample time.Duration
	once   int // how often a state is entered to see what that takes
}{
	Usual: {"usual", 60, 3, 4 * time.Millisecond, 60},
	Quick: {"quick", 21, 2, 2 * time.Millisecond, 25},
	Full:  {"full", 150, 5, 10 * time.Millisecond, 200},
	Guest: {"guest", 3, 3, 4 * time.Millisecond, 7}, // a tick of the timer
}

// String returns the name that a report has.
func (s Size) String() string { return sizes[s].name }

// run is a run that is under way.
type run struct {
	Options
	report *Report
	rnd    *rand.Rand
	cases  map[string][]Variant // by scenario
	n      map[string]int       // operations of a sample, by scenario
	values map[string]map[Variant][]float64
	done   int
	total  int
}

// Run measures.
func Run(ctx context.Context, o Options) (*Report, error) {
	begin := time.Now()
	cpu, err := o.cpu()
	if err != nil {
		return nil, err
	}
	r := &run{
		Options: o, rnd: rand.New(rand.NewPCG(o.Seed, 0)),
		n: map[string]int{}, values: map[string]map[Variant][]float64{},
		report: &Report{Size: o.Size.String(), Seed: o.Seed, CPU: cpu, Environment: environment(cpu), Unavailable: []Missing{}, Skipped: []Missing{}},
	}
	if err := r.choose(); err != nil {
		return nil, err
	}
	if err := r.measure(ctx); err != nil {
		return nil, err
	}
	if len(o.Scenarios) == 0 {
		if err := r.once(ctx); err != nil {
			return nil, err
		}
	}
	if err := r.extras(ctx); err != nil {
		return nil, err
	}
	r.collect()
	r.report.Seconds = time.Since(begin).Seconds()
	return r.report, nil
}

// extras measures what is no loop of system calls.
func (r *run) extras(ctx context.Context) error {
	if r.wants(extraStart) {
		if err := r.starts(ctx); err != nil {
			return err
		}
	}
	return r.loads(ctx)
}

// cpu returns the CPU to measure on.
func (o Options) cpu() (int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return 0, fmt.Errorf("ask for CPUs: %w", err)
	}
	if o.CPU > 0 {
		if !set.IsSet(o.CPU - 1) {
			return 0, fmt.Errorf("CPU %d is not there, or not for this process: see nproc", o.CPU-1)
		}
		return o.CPU - 1, nil
	}
	for cpu := len(set)*64 - 1; cpu >= 0; cpu-- {
		if set.IsSet(cpu) {
			return cpu, nil
		}
	}
	return 0, errors.New("no CPU is for this process")
}

func (r *run) tell(what string) {
	if r.Progress != nil {
		r.Progress(min(1, float64(r.done)/float64(max(r.total, 1))), what)
	}
}

// measure takes the samples of all scenarios, world by world in turns.
func (r *run) measure(ctx context.Context) error {
	worlds := r.worlds()
	size := sizes[r.Size]
	cycles := size.cycles
	if len(worlds) == 1 {
		cycles = 1
	}
	r.report.Rounds = size.rounds * cycles
	for range cycles {
		for _, w := range worlds {
			if err := r.inWorld(ctx, w, size.rounds); err != nil {
				return err
			}
		}
	}
	return nil
}

// worlds are those that a variant needs; the first has no BPF programs.
func (r *run) worlds() []world {
	out := []world{plain}
	for _, s := range r.report.Scenarios {
		r.total += len(r.cases[s.Name])
		for _, v := range r.cases[s.Name] {
			if w := v.worldOf(s); !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	slices.Sort(out)
	return out
}

// inWorld runs rounds of each scenario with the variants of one world.
func (r *run) inWorld(ctx context.Context, w world, rounds int) (err error) {
	leave, err := w.open()
	if err != nil {
		return fmt.Errorf("bench: attach BPF programs again: %w", err)
	}
	defer func() { err = errors.Join(err, leave()) }()
	all := &crowd{cpu: r.report.CPU, children: map[Variant]*process{}}
	defer func() { err = errors.Join(err, all.end()) }()
	for _, s := range r.report.Scenarios {
		c := all
		if s.fresh() {
			c = &crowd{cpu: r.report.CPU, children: map[Variant]*process{}}
		}
		err := r.scenario(ctx, w, s, c, rounds)
		if s.fresh() {
			err = errors.Join(err, c.end())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scenario has the variants of one world do it in turns.
func (r *run) scenario(ctx context.Context, w world, s Scenario, c *crowd, rounds int) error {
	var here []*process
	for _, v := range r.cases[s.Name] {
		if v.worldOf(s) != w || r.missing(s.Name, v) {
			continue
		}
		p, err := c.child(ctx, v)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.skip("", v, err)
			continue
		}
		// The first time is to prepare it.
		if _, err := p.ask(s.Name, 0); err != nil {
			if !errors.Is(err, errRefused) {
				return err
			}
			r.skip(s.Name, v, err)
			continue
		}
		here = append(here, p)
	}
	if len(here) == 0 {
		return nil
	}
	r.tell(s.Name)
	company, err := c.company(ctx, here[0].variant, r.company(s, here))
	if err != nil {
		return err
	}
	r.done += len(here)
	return r.rounds(ctx, s, append(here, company...), rounds)
}

// company is how many children more it takes for a world to have as many as any other:
// the kernel frees sockets later, on the account of whoever runs then, and how it finds
// memory for new ones depends on how many processes take turns.
func (r *run) company(s Scenario, here []*process) int {
	if s.class == other || s.Name == verdict {
		return 0
	}
	count := map[world]int{}
	most := 0
	for _, v := range r.cases[s.Name] {
		count[v.worldOf(s)]++
		most = max(most, count[v.worldOf(s)])
	}
	if len(count) == 1 {
		return 0
	}
	return max(0, most-len(here))
}

// rounds has the children take turns.
func (r *run) rounds(ctx context.Context, s Scenario, children []*process, rounds int) error {
	if r.n[s.Name] == 0 {
		n, err := calibrate(children[0], s.Name, sizes[r.Size].sample)
		if err != nil {
			return err
		}
		r.n[s.Name] = n
		r.values[s.Name] = map[Variant][]float64{}
	}
	n, values := r.n[s.Name], r.values[s.Name]
	warmUp := 3
	if r.Size == Guest {
		warmUp = 1
	}
	for round := range warmUp + rounds {
		for _, i := range r.rnd.Perm(len(children)) {
			c := children[i]
			took, err := c.ask(s.Name, n)
			if err != nil {
				return fmt.Errorf("%v: %s: %w", c.variant, s.Name, err)
			}
			if round >= warmUp && !c.company {
				values[c.variant] = append(values[c.variant], float64(took)/float64(n))
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// calibrate returns how many operations take about so long.
func calibrate(c *process, scenario string, want time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		took, err := c.ask(scenario, n)
		if err != nil {
			return 0, err
		}
		if took >= want/8 || n >= 1<<24 {
			return max(1, int(float64(n)*float64(want)/float64(max(took, 1)))), nil
		}
	}
}

func (r *run) skip(scenario string, v Variant, err error) {
	r.report.Skipped = append(r.report.Skipped, Missing{scenario, v.String(), err.Error()})
}

// missing tells whether a variant was found to be impossible before.
func (r *run) missing(scenario string, v Variant) bool {
	return slices.ContainsFunc(r.report.Skipped, func(m Missing) bool {
		return m.State == v.String() && (m.Scenario == "" || m.Scenario == scenario)
	})
}

// collect makes figures of the samples.
func (r *run) collect() {
	for _, s := range r.report.Scenarios {
		for _, v := range r.cases[s.Name] {
			if samples := r.values[s.Name][v]; len(samples) > 0 {
				r.report.Figures = append(r.report.Figures, Figure{
					Scenario: s.Name, Variant: v, N: r.n[s.Name], NS: summarize(samples), Samples: samples,
				})
			}
		}
	}
	r.report.compare()
}
