// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/selector"
)

const (
	// quick is how many requests of the space --quick leaves one of. It is prime,
	// so that what is left does not line up with the space.
	quick = 97
	// manyDivergences is how many are printed.
	manyDivergences = 20
)

// verified is the JSON of verify.
type verified struct {
	conformance.Report
	// Unavailable are the backends that were not tried.
	Unavailable []conformance.Missing `json:"unavailable"`
}

type verifyFlags struct {
	json, quick bool
	oneIn       string
	seed        string
	backends    []string
}

func newVerify() *command {
	var f verifyFlags
	c := &command{
		name: "verify", args: "[flags]",
		short: "Prove on this kernel that every backend gives the reference verdicts",
		long: `Verify restricts child processes by every backend that works here, with a set of
policies, and has them ask for all combinations of family, type, flags and protocol
through every way to a socket: native calls, 32-bit calls, socketcall, io_uring. Each
errno is compared with the reference and with that of an unrestricted child. It needs
no privilege; as root it is faster with an empty /proc/sys/kernel/modprobe.

Exit status: 0 if there is no divergence, 1 if there is one, 125 if it could not run.`,
		example: `  sockade verify
  sockade verify --quick --backend seccomp
  sockade verify --seed 42 --json | jq .backends`,
		run: func(s streams, _ []string) error { return verify(s, &f) },
	}
	c.toggle(&f.json, "json", "print JSON")
	c.toggle(&f.quick, "quick", fmt.Sprintf("try one request in %d only", quick))
	c.text(&f.oneIn, "one-in", "", "try one request in `N` only (default 1)", completeNothing)
	c.text(&f.seed, "seed", "", "`N` that the random policies follow from, 0 and up (default random)", completeNothing)
	c.list(&f.backends, "backend", "b", "try `NAMES` only (default all that work here)", completeBackends)
	return c
}

func verify(s streams, f *verifyFlags) error {
	thin, err := f.thin()
	if err != nil {
		return err
	}
	seed, err := parseSeed(f.seed)
	if err != nil {
		return err
	}
	names, err := backendNames(f.backends)
	if err != nil {
		return err
	}
	backends, unavailable, err := available(selector.Probe(engine.Trial), names)
	if err != nil {
		return err
	}
	config := conformance.Config{Backends: backends, Seed: seed, Thin: thin, Progress: progress(s.err)}
	start := time.Now()
	report, err := conformance.Run(context.Background(), config)
	if err != nil {
		if config.Progress != nil {
			config.Progress(0, 0) // leaves an empty line
		}
		return fmt.Errorf("verify: %w (seed %d)", err, config.Seed)
	}
	out := newOutput(s)
	if f.json {
		err = out.json(verified{report, unavailable})
	} else {
		printVerified(out, verified{report, unavailable}, time.Since(start))
	}
	if err != nil {
		return err
	}
	if err := out.flush(s); err != nil {
		return err
	}
	if n := report.Divergences(); n > 0 {
		return &statusError{statusNegative, fmt.Errorf("verify: %d divergences: this is a defect: report it with the lines above, the kernel and the seed", n)}
	}
	return nil
}

// thin returns of how many requests one is tried.
func (f *verifyFlags) thin() (int, error) {
	switch {
	case f.oneIn == "" && f.quick:
		return quick, nil
	case f.oneIn == "":
		return 1, nil
	case f.quick:
		return 0, errors.New("verify: --quick and --one-in say the same: give one of them")
	}
	n, err := strconv.ParseUint(f.oneIn, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("--one-in: %s is not a number from 1 to 65535: see sockade verify --help", quote(f.oneIn))
	}
	return int(n), nil
}

// parseSeed reads --seed; without it one is drawn that is short enough to type.
func parseSeed(text string) (uint64, error) {
	if text == "" {
		return uint64(rand.Uint32()), nil
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("--seed: %s is not a whole number from 0 to 2^64-1: see sockade verify --help", quote(text))
	}
	return seed, nil
}

// available returns the backends to try, and why the others are not.
func available(candidates []selector.Candidate, names []string) (backends []engine.Backend, missing []conformance.Missing, err error) {
	missing = []conformance.Missing{}
	var all []string
	for _, c := range candidates {
		name := c.Backend.Name()
		all = append(all, name)
		asked := slices.Contains(names, name)
		switch {
		case !c.Support.Available && asked:
			return nil, nil, fmt.Errorf("backend %s is not available: %s; leave out --backend, see sockade probe", name, c.Support.Reason)
		case !c.Support.Available:
			missing = append(missing, conformance.Missing{Name: name, Reason: c.Support.Reason})
		case len(names) > 0 && !asked:
			missing = append(missing, conformance.Missing{Name: name, Reason: "not asked for"})
		default:
			backends = append(backends, c.Backend)
		}
	}
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, nil, fmt.Errorf("backend %s is unknown; there are %s", quote(name), strings.Join(all, ", "))
		}
	}
	if len(backends) == 0 {
		return nil, nil, errors.New("verify: no backend is available here: see sockade probe for what each needs")
	}
	return backends, missing, nil
}

// progress counts on a terminal, and says nothing elsewhere.
func progress(w io.Writer) func(done, total int) {
	if !onTerminal(w) {
		return nil
	}
	fmt.Fprint(w, "unrestricted, to compare with") // the first child, of an unknown length
	return func(done, total int) {
		fmt.Fprintf(w, "\r\x1b[K%d of %d", done, total)
		if done == total {
			fmt.Fprint(w, "\r\x1b[K")
		}
	}
}

func printVerified(out *output, v verified, took time.Duration) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "BACKEND\tREQUESTS\t%s\tNARROWED\t\n", out.bold("DIVERGENCES"))
	for _, r := range append([]conformance.Result{v.Reference}, v.Backends...) {
		count := out.green(strconv.Itoa(r.Divergences))
		if r.Divergences > 0 {
			count = out.red(strconv.Itoa(r.Divergences))
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t\n", r.Name, r.Requests, count, r.Narrowed)
	}
	_ = w.Flush() // into memory
	for _, m := range v.Unavailable {
		fmt.Fprintf(out, "not tried: backend %s: %s\n", m.Name, m.Reason)
	}
	for _, m := range v.Missing {
		fmt.Fprintf(out, "not tried: entry %s: %s\n", m.Name, m.Reason)
	}
	for _, r := range v.Backends {
		for _, m := range r.Skipped {
			fmt.Fprintf(out, "not tried: policy %s by %s: %s\n", m.Name, r.Name, m.Reason)
		}
	}
	printDivergences(out, v.Report)
	fmt.Fprintf(out, "kernel %s, seed %d, %.1f s\n", v.Kernel, v.Seed, took.Seconds())
}

func printDivergences(out *output, report conformance.Report) {
	printed := 0
	for _, r := range append([]conformance.Result{report.Reference}, report.Backends...) {
		for _, d := range r.Diverged {
			if printed++; printed > manyDivergences {
				break
			}
			fmt.Fprintf(out, "%s %s: %v\n", out.red("divergence:"), r.Name, d)
		}
	}
	if more := report.Divergences() - min(printed, manyDivergences); more > 0 {
		fmt.Fprintf(out, "%d more divergences\n", more)
	}
}
