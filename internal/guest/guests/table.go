// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/internal/guest"
	"github.com/sockade/sockade/internal/guest/job"
)

// row is what came out on one kernel.
type row struct {
	name, release           string
	backends                []conformance.Result // sums, by name
	divergences             int                  // of the reference, too
	entries                 []conformance.EntryResult
	passed, failed, skipped int
	reasons                 map[string]int // of the skips
	problems                []string
	some                    bool // -run was given: no step has to run anything
	seconds                 float64
}

// boot runs the steps on one kernel.
func (o options) boot(ctx context.Context, m machine, files guest.Files) row {
	r := row{name: m.name, reasons: map[string]int{}, some: o.run != ""}
	start := time.Now()
	err := guest.Boot(ctx, m.Machine, files, o.steps(m), func(result job.Result) {
		r.take(result)
		fmt.Fprintf(os.Stderr, "%s: %s: %.0f s\n", m.name, result.Step.Name, result.Seconds)
		if o.verbose {
			_, _ = os.Stderr.Write(append(result.Stdout, result.Stderr...))
		}
	})
	if err != nil {
		r.problems = append(r.problems, err.Error())
	}
	r.seconds = time.Since(start).Seconds()
	return r
}

// take adds the result of a step. One that printed nothing that counts has failed,
// whatever its status.
func (r *row) take(result job.Result) {
	before := r.ran()
	if strings.HasPrefix(result.Step.Name, "verify") {
		r.takeVerify(result)
	} else {
		r.takeTests(result)
	}
	switch {
	case result.Error != "":
		r.problem(result, result.Error)
	case result.Status != 0:
		r.problem(result, fmt.Sprintf("status %d", result.Status))
	case before == r.ran() && !r.some && result.Step.Name != loads:
		r.problem(result, "nothing was run")
	}
}

// ran counts all that was run.
func (r *row) ran() int {
	n := r.passed + r.failed + r.skipped
	for _, b := range r.backends {
		n += b.Requests
	}
	return n
}

func (r *row) problem(result job.Result, what string) {
	lines := []string{fmt.Sprintf("%s: %s", result.Step.Name, what)}
	for _, output := range [][]byte{failures(result.Stdout), result.Stderr} {
		if output = bytes.TrimSpace(output); len(output) > 0 {
			lines = append(lines, guest.LastLines(string(output), 60))
		}
	}
	r.problems = append(r.problems, strings.Join(lines, "\n"))
}

func (r *row) takeVerify(result job.Result) {
	var report conformance.Report
	if err := json.Unmarshal(result.Stdout, &report); err != nil {
		return
	}
	r.release = report.Kernel
	r.divergences += report.Divergences()
	for _, b := range report.Backends {
		i := slices.IndexFunc(r.backends, func(sum conformance.Result) bool { return sum.Name == b.Name })
		if i < 0 {
			i = len(r.backends)
			r.backends = append(r.backends, conformance.Result{Name: b.Name})
		}
		sum := &r.backends[i]
		sum.Requests += b.Requests
		sum.Divergences += b.Divergences
		sum.Narrowed += b.Narrowed
		r.entries = conformance.AddEntries(r.entries, b.Entries)
	}
	for _, m := range report.Missing {
		r.reasons["entry "+m.Name+": "+m.Reason]++
	}
}

var (
	outcome = regexp.MustCompile(`(?m)^ *--- (PASS|FAIL|SKIP): (\S+)`)
	reason  = regexp.MustCompile(`(?m)_test\.go:\d+: SKIP: (.*)$`)
)

func (r *row) takeTests(result job.Result) {
	for _, match := range outcome.FindAllSubmatch(result.Stdout, -1) {
		switch string(match[1]) {
		case "PASS":
			r.passed++
		case "FAIL":
			r.failed++
		default:
			r.skipped++
		}
	}
	for _, match := range reason.FindAllSubmatch(result.Stdout, -1) {
		r.reasons[string(match[1])]++
	}
}

// begins is where package testing says whose output follows.
var begins = regexp.MustCompile(`^=== (?:RUN|CONT|NAME|PAUSE) +(\S+)$`)

// failures returns what the tests that failed printed, and their verdicts, and
// which tests had none when the program ended. Tests that run side by side print in
// turns.
func failures(output []byte) []byte {
	var out [][]byte
	var running []string
	printed := map[string][][]byte{}
	name := ""
	for line := range bytes.Lines(output) {
		verdict := outcome.FindSubmatch(line)
		switch begin := begins.FindSubmatch(bytes.TrimSpace(line)); {
		case begin != nil:
			if name = string(begin[1]); !slices.Contains(running, name) {
				running = append(running, name)
			}
		case verdict == nil:
			printed[name] = append(printed[name], line)
		default:
			name = string(verdict[2])
			if string(verdict[1]) == "FAIL" {
				out = append(append(out, printed[name]...), line)
			}
			running = slices.DeleteFunc(running, func(r string) bool { return r == name })
			name = ""
		}
	}
	for _, name := range running {
		out = append(append(out, printed[name]...), []byte("--- still running: "+name+"\n"))
	}
	return bytes.Join(append(out, printed[""]...), nil)
}

// printNarrowed prints how many requests got what the reference says and how many
// were narrowed, for the entries to the kernel where any was on any kernel.
func printNarrowed(rows []row) {
	var names []string
	for _, r := range rows {
		for _, e := range r.entries {
			if e.Narrowed > 0 && !slices.Contains(names, e.Name) {
				names = append(names, e.Name)
			}
		}
	}
	if len(names) == 0 {
		return
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "EXACT+NARROWED\t%s\t\n", strings.Join(names, "\t"))
	for _, r := range rows {
		if r.entries == nil {
			continue
		}
		fmt.Fprintf(w, "%s\t", r.name)
		for _, name := range names {
			cell := "no such entry"
			if i := slices.IndexFunc(r.entries, func(e conformance.EntryResult) bool { return e.Name == name }); i >= 0 {
				cell = fmt.Sprintf("%d+%d", r.entries[i].Exact, r.entries[i].Narrowed)
			}
			fmt.Fprintf(w, "%s\t", cell)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

// printRows prints the table, why anything was skipped, and what failed; it tells
// whether anything did.
func printRows(rows []row) (failed bool) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "KERNEL\tRELEASE\tTESTS PASSED\tFAILED\tSKIPPED\tSECONDS\tBACKEND\tREQUESTS\tDIVERGENCES\tNARROWED\t")
	reasons := map[string]int{}
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%.0f\t", r.name, r.release, r.passed, r.failed, r.skipped, r.seconds)
		for i, b := range r.backends {
			if i > 0 {
				fmt.Fprint(w, "\t\t\t\t\t\t")
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t\n", b.Name, b.Requests, b.Divergences, b.Narrowed)
		}
		if r.backends == nil {
			fmt.Fprintln(w, "\t\t\t\t")
		}
		for reason, n := range r.reasons {
			reasons[reason] += n
		}
	}
	_ = w.Flush()
	printNarrowed(rows)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Printf("skipped %dx: %s\n", reasons[reason], reason)
	}
	for _, r := range rows {
		failed = failed || r.failed > 0 || r.divergences > 0
		for _, p := range r.problems {
			failed = true
			fmt.Printf("FAILED: kernel %s: %s\n", r.name, p)
		}
	}
	return failed
}
