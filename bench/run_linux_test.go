// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) {
	Main() // a child of Run is this test binary
	os.Exit(testutil.RunTests(m))
}

// TestRun measures a little of all: that there are figures and not what they are.
func TestRun(t *testing.T) {
	var told []string
	r, err := Run(t.Context(), Options{Size: Quick, Seed: 7, Scenarios: []string{socketUnix, socketDenied, getppid}, Progress: func(_ float64, what string) {
		told = append(told, what)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(told, getppid) {
		t.Errorf("progress is %v", told)
	}
	for _, s := range States() {
		missing := slices.ContainsFunc(r.Unavailable, func(m Missing) bool { return m.State == s.Name && m.Reason != "" })
		skipped := slices.ContainsFunc(r.Skipped, func(m Missing) bool { return strings.HasPrefix(m.State, s.Name) && m.Reason != "" })
		there := slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.State == s.Name })
		needed := !isFloor(s.Name) || slices.ContainsFunc(r.States, func(o State) bool { return slices.Contains(o.floor[:], s.Name) })
		if there == missing && !skipped && needed {
			t.Errorf("state %s: measured %t, named as missing %t", s.Name, there, missing)
		}
	}
	for _, f := range r.Figures {
		if len(f.Samples) != r.Rounds || f.NS.Median <= 0 || !f.NS.known() {
			t.Errorf("%s in %v: %d samples, %v", f.Scenario, f.Variant, len(f.Samples), f.NS)
		}
		if f.State != None && f.None == nil {
			t.Errorf("%s in %v is not compared with no sandbox", f.Scenario, f.Variant)
		}
	}
	f := r.Find(socketUnix, Variant{Seccomp, 500, 1})
	if f == nil {
		missing := "seccomp was not measured"
		testutil.Need(t, "seccomp", missing, "see sockade probe")
	}
	if f.Floor == nil || f.Floor.To != (Variant{floorArgument, 0, 1}) {
		t.Errorf("the floor of socket is %+v", f.Floor)
	}
}

// TestExtras: true is always there to start, and a server of our own to ask.
func TestExtras(t *testing.T) {
	r, err := Run(t.Context(), Options{Size: Quick, Scenarios: []string{extraStart, extraHTTP}, States: []string{Seccomp}})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(r.Starts, func(s Start) bool { return s.Command == "true" && s.MS.Median > 0 }) {
		t.Errorf("starts: %+v", r.Starts)
	}
	if len(r.Loads) == 0 || r.Loads[0].State != None || r.Loads[0].PerSecond.Median <= 0 || r.Loads[0].P99.Median <= 0 {
		t.Errorf("loads: %+v", r.Loads)
	}
}

func TestRunRefuses(t *testing.T) {
	for want, o := range map[string]Options{
		`scenario "soket" is unknown; there are socket-unix`: {Scenarios: []string{"soket"}},
		`state "selinux" is unknown; there are none`:         {States: []string{"selinux"}},
		"CPU 1000 is not there":                              {CPU: 1001},
	} {
		if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, which should say %s", err, want)
		}
	}
}

// TestRunEnds: a run that is cancelled ends, with its children.
func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, Options{Size: Quick, Progress: func(float64, string) { cancel() }})
	if err == nil {
		t.Error("no error")
	}
}

func TestPolicies(t *testing.T) {
	for _, rules := range RuleCounts {
		p := policyOf(rules)
		if err := p.Validate(); err != nil || len(p.Rules) != rules {
			t.Errorf("%d rules: %d, %v", rules, len(p.Rules), err)
		}
		seen := map[string]bool{}
		for _, rule := range p.Rules {
			seen[rule.String()] = true
		}
		if len(seen) != rules {
			t.Errorf("%d rules, %d of them different", rules, len(seen))
		}
		if p := portsOf(rules, 4000); p.Validate() != nil || len(p.Ports.ConnectTCP) != rules {
			t.Errorf("%d ports: %v", rules, p.Ports)
		}
	}
}

// TestSmallest runs the small program.
func TestSmallest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smallest")
	if err := os.WriteFile(path, smallestProgram(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(path).Run(); err != nil {
		t.Error(err)
	}
}
