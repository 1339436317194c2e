// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sockade/sockade/bench"
	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) {
	if os.Getenv("GUARD") != "" { // the program, for its exit status
		main()
		os.Exit(0)
	}
	os.Exit(testutil.RunTests(m))
}

// report has figures of getppid in which seccomp takes so many instructions, and the
// filter that allows all takes 500.
func report(seccomp float64) *bench.Report {
	figure := func(state string, rules, depth int, ns float64) bench.Figure {
		return bench.Figure{Scenario: "getppid", Variant: bench.Variant{State: state, Rules: rules, Depth: depth}, Samples: slices.Repeat([]float64{ns}, 9)}
	}
	return &bench.Report{
		Figures:     []bench.Figure{figure(bench.None, 0, 0, 400), figure("floor-allow", 0, 1, 500), figure(bench.Seccomp, 8, 1, seccomp)},
		Unavailable: []bench.Missing{{State: bench.BPFLSM, Reason: "no bpf in lsm="}},
	}
}

const budgets = `
[[budget]]
name = "other calls"
scenarios = ["getppid"]
state = "seccomp"
to = "floor"
ratio = 1.01

[[budget]]
name = "BPF"
scenarios = ["getppid"]
state = "bpflsm"
to = "none"
extra = 10
`

// TestGuard runs the program: a figure over its budget is exit status 1, and so is a
// state that has to be there and is not.
func TestGuard(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "budget.toml")
	if err := os.WriteFile(file, []byte(budgets), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		seccomp float64
		require string
		status  int
		says    string
	}{
		"within":   {504, "seccomp", 0, "1.008 of 1.010"},
		"over":     {506, "seccomp", 1, "OVER"},
		"required": {500, "seccomp,bpflsm", 1, "the state bpflsm has to be there: no bpf in lsm="},
		"skipped":  {500, "", 0, "SKIP: budget of bpflsm: no bpf in lsm="},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(report(tt.seccomp))
			if err != nil {
				t.Fatal(err)
			}
			from := filepath.Join(dir, name+".json")
			if err := os.WriteFile(from, text, 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/proc/self/exe", "-budget", file, "-from", from, "-require", tt.require)
			cmd.Env = append(os.Environ(), "GUARD=1", "SOCKADE_SKIPS=")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			_ = cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != tt.status || !strings.Contains(out.String(), tt.says) {
				t.Errorf("status %d, want %d and %q:\n%s", got, tt.status, tt.says, &out)
			}
		})
	}
}
