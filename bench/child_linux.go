// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// childWord is the first argument of a child; its job follows.
const childWord = "__sockade-bench-child"

// Kinds of children.
const (
	kindLoops = ""      // does scenarios as it is told
	kindApply = "apply" // restricts itself and tells what that took
	kindHTTP  = "http"  // serves
)

// job is what a child is for. It goes through every execve of it.
type job struct {
	Kind string `json:",omitempty"`
	Variant
	CPU int
	// Port is one that nobody else uses.
	Port uint16
	// Pinned says that it is on its CPU already, Left how often it has still to enter
	// its state.
	Pinned bool
	Left   int
}

// order has a child do a scenario N times; 0 is to prepare it and to do it once.
type order struct {
	Scenario string
	N        int
}

// answer is what that took.
type answer struct {
	NS int64
	// NotHere says that the scenario is not possible in this state, and Err why.
	NotHere bool   `json:",omitempty"`
	Err     string `json:",omitempty"`
	Costs   *Costs `json:",omitempty"`
}

var errNotHere = errors.New("not here")

// child is the process that measures.
type child struct {
	job    job
	denies bool // its policy denies what the kernel would refuse by itself
	loops  map[string]loop
}

// Main turns the program into a child of [Run] if it was started as one, and then does
// not return.
func Main() {
	if len(os.Args) != 3 || os.Args[1] != childWord {
		return
	}
	runtime.LockOSThread()
	err := childMain(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func childMain(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	state, ok := stateOf(j.State)
	if !ok {
		return fmt.Errorf("BUG(bench): no state %q", j.State)
	}
	if !j.Pinned && j.Kind != kindApply { // what restricts itself waits for its threads
		if err := pin(j.CPU); err != nil {
			return err
		}
		j.Pinned = true
		if j.Left == 0 {
			return again(j)
		}
	}
	if j.Kind == kindLoops {
		debug.SetGCPercent(-1)
	}
	switch {
	case j.Kind == kindApply:
		return apply(state, j)
	case j.Left > 0:
		j.Left--
		return enter(state, j)
	case j.Kind == kindHTTP:
		return serveHTTP(j)
	case j.Kind == kindRedis:
		path, err := exec.LookPath("redis-server")
		if err != nil {
			return err
		}
		return fmt.Errorf("exec: %w", syscall.Exec(path, redisServer(j.Port), os.Environ()))
	}
	// Not before: who enters a sandbox waits for other threads, which would wait for it.
	_ = beforeOthers()
	return (&child{job: j, denies: state.denies(), loops: map[string]loop{}}).serve()
}

// pin has the process on one CPU. Only threads of an image that is executed later are
// all there: a Go program has several from its start.
func pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("stay on CPU %d: %w", cpu, err)
	}
	// Where memory is, and in which pages, makes a fork differ by a tenth from one process
	// to the other.
	const noRandomize = 0x0040000 // ADDR_NO_RANDOMIZE, linux/personality.h
	unix.RawSyscall(unix.SYS_PERSONALITY, noRandomize, 0, 0)
	_ = unix.Prctl(unix.PR_SET_THP_DISABLE, 1, 0, 0, 0)
	return nil
}

// beforeOthers has the thread, where it may, run without an interruption by other
// programs, and by a thread of Go's own that wakes up every 20 microseconds. A sample
// takes milliseconds, and for longer the kernel does not let it (sched_rt_runtime_us).
func beforeOthers() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
}

// self is executed again.
const self = "/proc/self/exe"

func arguments(j job) ([]string, error) {
	text, err := json.Marshal(j)
	return []string{"sockade-bench", childWord, string(text)}, err
}

func again(j job) error {
	argv, err := arguments(j)
	if err != nil {
		return err
	}
	return fmt.Errorf("exec: %w", syscall.Exec(self, argv, os.Environ()))
}

// enter goes one state deeper and executes the program again.
func enter(s State, j job) error {
	if s.enter != nil {
		if err := s.enter(); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		return again(j)
	}
	plan, err := s.plan(j)
	if err != nil {
		return err
	}
	argv, err := arguments(j)
	if err != nil {
		return err
	}
	return plan.Exec(self, argv, os.Environ())
}

// policy is that of a state.
func (s State) policy(j job) engine.Policy {
	switch {
	case !s.ports:
		return policyOf(j.Rules)
	case !s.auto:
		return portsOf(j.Rules, j.Port)
	}
	p := policyOf(j.Rules)
	p.Ports = portsOf(j.Rules, j.Port).Ports
	return p
}

// options have only the state's backends. Rules about ports are measured also where they
// leave a gap.
func (s State) options() selector.Options {
	return selector.Options{Backends: s.backends, BestEffort: s.ports && !s.auto}
}

// plan is made by the selector, as sockade run has it made.
func (s State) plan(j job) (plan selector.Plan, err error) {
	p := s.policy(j)
	for _, depth := range selector.Depths(p) {
		plan, err = selector.NewPlan(p, selector.Probe(depth), s.options())
		if err == nil {
			break
		}
	}
	return plan, err
}

// serve does what it is told until there is nothing more to do.
func (c *child) serve() error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(c.do(o)); err != nil {
			return err
		}
	}
}

func (c *child) do(o order) answer {
	f, err := c.loop(o.Scenario)
	if err == nil {
		start := time.Now()
		err = f(max(o.N, 1))
		took := time.Since(start)
		if err == nil {
			return answer{NS: int64(took)}
		}
	}
	return answer{NotHere: errors.Is(err, errNotHere), Err: err.Error()}
}

func (c *child) loop(name string) (loop, error) {
	if f := c.loops[name]; f != nil {
		return f, nil
	}
	s, ok := find(name)
	if !ok {
		return nil, fmt.Errorf("BUG(bench): no scenario %q", name)
	}
	f, err := s.start(c)
	if err != nil {
		return nil, err
	}
	c.loops[name] = f
	return f, nil
}
