// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"

	"github.com/sockade/sockade/bench"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is a small report with all that one can have.
func sample() *bench.Report {
	interval := func(v float64) bench.Interval { return bench.Interval{Median: v, Low: 0.99 * v, High: 1.02 * v} }
	to := func(state string, ratio float64) *bench.Comparison {
		return &bench.Comparison{To: bench.Variant{State: state}, Ratio: interval(ratio), Extra: interval(100 * (ratio - 1))}
	}
	r := &bench.Report{
		Size: "usual", Seed: 7, CPU: 1, Rounds: 6, Seconds: 12,
		Environment: bench.Environment{
			Kernel: "6.18.0", Machine: "amd64", CPU: "A <fast> CPU", CPUs: 2, Governor: "unknown", Virtualisation: "a virtual machine",
			LSM: "landlock,bpf", BPFJIT: "1", Go: "go1.26", User: "root", Mitigations: []string{"spectre_v2: Mitigation: Retpolines"}, Notes: []string{"a note"},
		},
		Unavailable: []bench.Missing{{State: "landlock", Reason: "not on this kernel"}},
		Skipped:     []bench.Missing{{Scenario: "uring-socket", State: "seccomp/rules=8", Reason: "denied"}},
	}
	for _, s := range bench.Scenarios() {
		if s.Name == "socket-unix" || s.Name == "getppid" {
			r.Scenarios = append(r.Scenarios, s)
		}
	}
	samples := slices.Repeat([]float64{1234.5}, 6)
	for _, s := range r.Scenarios {
		r.Figures = append(r.Figures, bench.Figure{Scenario: s.Name, Variant: bench.Variant{State: bench.None}, N: 10, NS: interval(1000), Samples: samples})
		for _, rules := range bench.RuleCounts {
			r.Figures = append(r.Figures,
				bench.Figure{Scenario: s.Name, Variant: bench.Variant{State: bench.Seccomp, Rules: rules, Depth: 1}, N: 10, NS: interval(1100), Samples: samples, None: to(bench.None, 1.1), Floor: to("floor-argument", 1.005)},
				bench.Figure{Scenario: s.Name, Variant: bench.Variant{State: bench.BPFLSM, Rules: rules, Depth: 1}, N: 10, NS: interval(1300), Samples: samples, None: to(bench.None, 1.3), Floor: to("floor-bpflsm", 1.2)},
			)
		}
	}
	r.Applied = []bench.Applied{{Variant: bench.Variant{State: bench.Seccomp, Rules: 8, Depth: 1}, Inquire: interval(27000), Probe: interval(370000), Plan: interval(4000), Restrict: interval(690000), Heap: interval(65536), Resident: interval(4096)}}
	r.Starts = []bench.Start{{Command: "sockade run --allow unix -- true", MS: interval(2)}, {Command: "bwrap --dev-bind / / true", MS: interval(2.5), Against: to("sockade", 1.25)}}
	r.Loads = []bench.Load{{Server: "redis", State: bench.Seccomp, PerSecond: interval(50000), P99: interval(800), Throughput: to(bench.None, 1.002), Latency: to(bench.None, 1.1)}}
	return r
}

// TestGolden: a report looks as it did; with -update look at the difference.
func TestGolden(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *bench.Report) error{
		"report.txt": writeText, "report.html": writeHTML, "headline.svg": writeHeadline,
		"report.bench": func(w io.Writer, r *bench.Report) error { return r.WriteGo(w) },
	} {
		var b bytes.Buffer
		if err := write(&b, sample()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s differs from %s: go test ./cmd/sockade-bench -update shows how", name, path)
		}
	}
}

// TestPageStandsAlone: nothing is loaded from elsewhere, what is not ours is escaped, and
// a difference within the noise has no digits.
func TestPageStandsAlone(t *testing.T) {
	var b bytes.Buffer
	if err := writeHTML(&b, sample()); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, bad := range []string{"src=", "href=", "<script", "@import", "url(", "A <fast> CPU", "%!", "NaN"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, good := range []string{"<svg", "A &lt;fast&gt; CPU", bench.NoDifference, "not on this kernel", "prefers-color-scheme: dark"} {
		if !strings.Contains(text, good) {
			t.Errorf("the page has no %q", good)
		}
	}
}

// TestGoBench: benchstat's own reader takes it.
func TestGoBench(t *testing.T) {
	var b bytes.Buffer
	r := sample()
	if err := r.WriteGo(&b); err != nil {
		t.Fatal(err)
	}
	reader := benchfmt.NewReader(&b, "report")
	n := 0
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			t.Fatal(record)
		case *benchfmt.Result:
			if v, ok := record.Value("sec/op"); !ok || v < 1.2e-6 || v > 1.3e-6 || record.GetConfig("kernel") != "6.18.0" {
				t.Fatalf("%s: %v %v", record.Name.Full(), record.Values, record.Config)
			}
			n++
		}
	}
	if err := reader.Err(); err != nil || n != 6*len(r.Figures) {
		t.Errorf("%d results, %v", n, err)
	}
}
