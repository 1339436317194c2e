// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"slices"
	"strings"
	"testing"
)

// sample is a report in which seccomp takes 1.04 of its floor, and BPF 59 and 149
// instructions more than its own.
func sample() *Report {
	same := func(ns float64) []float64 { return slices.Repeat([]float64{ns}, 9) }
	r := &Report{Scenarios: Scenarios()}
	add := func(scenario string, v Variant, ns float64) {
		r.Figures = append(r.Figures, Figure{Scenario: scenario, Variant: v, N: 1, NS: summarize(same(ns)), Samples: same(ns)})
	}
	for _, s := range Scenarios() {
		seccomp, floor := 1040.0, 1000.0
		if s.class == other {
			seccomp = 1000
		}
		add(s.Name, Variant{State: None}, 900)
		for _, name := range []string{floorAllow, floorArgument, floorDeny} {
			add(s.Name, Variant{name, 0, 1}, floor)
		}
		add(s.Name, Variant{floorBPF, 0, 0}, 800)
		add(s.Name, Variant{BPFElse, 0, 0}, 859)
		for _, rules := range RuleCounts {
			add(s.Name, Variant{Seccomp, rules, 1}, seccomp)
			add(s.Name, Variant{Libseccomp, rules, 1}, 1100)
			bpf := 949.0
			if s.Name == forkExit {
				bpf = 920
			}
			add(s.Name, Variant{BPFLSM, rules, 1}, bpf)
		}
	}
	return r
}

func over(t *testing.T, r *Report) (names []string) {
	t.Helper()
	budgets, err := Budgets()
	if err != nil {
		t.Fatal(err)
	}
	spent, _, err := Check(r, budgets)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spent {
		if s.Over {
			names = append(names, s.Figure)
		}
	}
	return names
}

// TestCheck: what keeps to the budgets of this version passes, and what is over any of
// them does not.
func TestCheck(t *testing.T) {
	if names := over(t, sample()); len(names) > 0 {
		t.Errorf("over: %v", names)
	}
	for _, tt := range []struct {
		scenario string
		v        Variant
		ns       float64
	}{
		{socketUnix, Variant{Seccomp, 500, 1}, 1060},
		{socketDenied, Variant{Seccomp, 8, 1}, 1051},
		{getppid, Variant{Seccomp, 8, 1}, 1011},
		{forkExit, Variant{Seccomp, 8, 1}, 1031},
		{verdict, Variant{BPFElse, 0, 0}, 931},
		{verdict, Variant{BPFLSM, 64, 1}, 1171},
		{forkExit, Variant{BPFLSM, 8, 1}, 928},
	} {
		r := sample()
		f := r.Find(tt.scenario, tt.v)
		for i := range f.Samples {
			f.Samples[i] = tt.ns
		}
		if names := over(t, r); !slices.Contains(names, tt.scenario+" "+tt.v.String()) {
			t.Errorf("%s in %v takes %g, and over are %v", tt.scenario, tt.v, tt.ns, names)
		}
	}
	// libseccomp that is quicker is a budget of seccomp, too.
	r := sample()
	f := r.Find(socketUnix, Variant{Libseccomp, 8, 1})
	for i := range f.Samples {
		f.Samples[i] = 1000
	}
	if names := over(t, r); len(names) != 1 || names[0] != "socket-unix seccomp/rules=8" {
		t.Errorf("libseccomp is quicker, and over are %v", names)
	}
}

// TestGoal: a figure above the goal and within the bound is named and is not over.
func TestGoal(t *testing.T) {
	b := Budget{Name: "b", Scenarios: []string{verdict}, State: BPFElse, To: "floor", Extra: 70, Goal: 50}
	spent, _, err := Check(sample(), []Budget{b})
	if err != nil || len(spent) != 1 || spent[0].Over || spent[0].Goal != "+50" || spent[0].Value != "+59" {
		t.Errorf("%+v, %v", spent, err)
	}
	b.Goal = 80
	if err := b.validate(); err == nil {
		t.Error("a goal above the bound")
	}
}

// TestCheckAbsent: a state that is not there is named, and a figure that is not there
// is an error.
func TestCheckAbsent(t *testing.T) {
	budgets, err := Budgets()
	if err != nil {
		t.Fatal(err)
	}
	r := sample()
	r.Figures = slices.DeleteFunc(r.Figures, func(f Figure) bool { return f.State == Libseccomp })
	if _, _, err := Check(r, budgets); err == nil || !strings.Contains(err.Error(), "no figure of socket-unix in libseccomp") {
		t.Errorf("without figures: %v", err)
	}
	r.Unavailable = []Missing{{State: Libseccomp, Reason: "not in this build"}}
	if _, absent, err := Check(r, budgets); err != nil || len(absent) != 1 || absent[0].Reason != "not in this build" {
		t.Errorf("not available: %v, %v", absent, err)
	}
}

func TestParseBudgets(t *testing.T) {
	for text, want := range map[string]string{
		"": "no [[budget]]",
		"[[budget]]\nname = \"x\"\nscenarios = [\"pipe\"]\nstate = \"seccomp\"\nto = \"floor\"": "no bound",
		"[[budget]]\nscenarios = [\"pip\"]\nstate = \"seccomp\"\nto = \"floor\"\nratio = 1":     `no scenario "pip"`,
		"[[budget]]\nscenarios = [\"pipe\"]\nstate = \"secomp\"\nto = \"floor\"\nratio = 1":     `no state "secomp"`,
		"[[budget]]\nscenarios = [\"pipe\"]\nstate = \"seccomp\"\nto = \"flor\"\nratio = 1":     `to = "flor"`,
		"[[budget]]\nstate = \"seccomp\"\nto = \"floor\"\nratio = 1":                            "no scenarios",
		"[[budget]]\nratios = 1": "strict mode",
	} {
		if _, err := ParseBudgets(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
