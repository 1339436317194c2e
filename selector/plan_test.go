// SPDX-License-Identifier: Apache-2.0

package selector_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// policy parses the value of an --allow flag.
func policy(t testing.TB, allow string) engine.Policy {
	t.Helper()
	p, err := engine.ParseAllow(engine.SplitRules(allow), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// fake is a backend whose findings are given. A plan is pure: it may ask for
// nothing but the name and the coverage.
type fake struct {
	name     string
	coverage engine.Coverage
}

func (f fake) Name() string                                         { return f.name }
func (f fake) Assess(engine.Policy, engine.Support) engine.Coverage { return f.coverage }
func (fake) Probe(engine.Depth) engine.Support                      { panic("a plan probes") }
func (fake) Prepare(engine.Policy, engine.Support) (engine.Layer, error) {
	panic("a plan prepares")
}

// there is an available candidate; its findings are lists of IDs.
func there(name, gaps, narrowings, unseen string) selector.Candidate {
	c := engine.Coverage{Covers: []string{name + " covers"}, Gaps: findings(gaps), Narrowings: findings(narrowings), Unseen: findings(unseen)}
	return selector.Candidate{Backend: fake{name, c}, Support: engine.Support{Available: true}}
}

// nothing is what a backend covers that is of no use.
var nothing []string

func covering(name string, covers []string, gaps string) selector.Candidate {
	return selector.Candidate{Backend: fake{name, engine.Coverage{Covers: covers, Gaps: findings(gaps)}}, Support: engine.Support{Available: true}}
}

// missing is a candidate that is not available.
func missing(name, reason string) selector.Candidate {
	return selector.Candidate{Backend: fake{name: name}, Support: engine.Support{Reason: reason}}
}

func findings(ids string) (out []engine.Finding) {
	for _, id := range strings.Fields(ids) {
		out = append(out, engine.Finding{ID: id, What: "what of " + id, Why: "why " + id, Fix: "fix " + id})
	}
	return out
}

func ids(list []engine.Finding) string {
	var out []string
	for _, f := range list {
		out = append(out, f.ID)
	}
	return strings.Join(out, " ")
}

func TestNewPlan(t *testing.T) {
	for _, tt := range []struct {
		name       string
		candidates []selector.Candidate
		options    selector.Options
		layers     string // in the order of enforcement
		gaps       string
		narrowings string
		unseen     string
		rejected   string // backend: reason, separated by "; "
		refused    string // the kind of a RefusedError
	}{
		{
			name:       "the first without a gap",
			candidates: []selector.Candidate{there("landlock", "", "", ""), there("seccomp", "", "", "")},
			layers:     "landlock", rejected: "seccomp: not needed",
		}, {
			name:       "a gap is passed over",
			candidates: []selector.Candidate{there("landlock", "ports", "", ""), there("seccomp", "", "io_uring", "proc-mem")},
			layers:     "seccomp", narrowings: "io_uring", unseen: "proc-mem", rejected: "landlock: would leave a gap: what of ports",
		}, {
			name:       "one that is not available says why",
			candidates: []selector.Candidate{missing("landlock", "too old a kernel"), there("seccomp", "", "", "")},
			layers:     "seccomp", rejected: "landlock: too old a kernel",
		}, {
			name:       "strict refuses a gap and shows the whole plan",
			candidates: []selector.Candidate{there("seccomp", "ports", "io_uring", "")},
			layers:     "seccomp", gaps: "ports", narrowings: "io_uring", refused: "gap",
		}, {
			name:       "best effort accepts a gap and names it",
			candidates: []selector.Candidate{there("seccomp", "ports", "", "")}, options: selector.Options{BestEffort: true},
			layers: "seccomp", gaps: "ports",
		}, {
			name:       "best effort takes the fewest gaps",
			candidates: []selector.Candidate{there("landlock", "a b", "", ""), there("seccomp", "a", "n", "")}, options: selector.Options{BestEffort: true},
			layers: "seccomp", gaps: "a", narrowings: "n", rejected: "landlock: would leave a gap: what of a",
		}, {
			name:       "a narrowing is accepted",
			candidates: []selector.Candidate{there("seccomp", "", "io_uring", ""), there("bpflsm", "", "", "")},
			layers:     "seccomp", narrowings: "io_uring", rejected: "bpflsm: not needed",
		}, {
			name:       "exact looks further",
			candidates: []selector.Candidate{there("seccomp", "", "io_uring", ""), there("bpflsm", "", "", "")}, options: selector.Options{Exact: true},
			layers: "bpflsm", rejected: "seccomp: would narrow the policy: what of io_uring",
		}, {
			name:       "exact refuses a narrowing",
			candidates: []selector.Candidate{there("seccomp", "", "io_uring", "")}, options: selector.Options{Exact: true},
			layers: "seccomp", narrowings: "io_uring", refused: "narrowing",
		}, {
			name:       "a gap weighs more than narrowings, exact or not",
			candidates: []selector.Candidate{there("landlock", "a", "", ""), there("seccomp", "", "x y z", "")}, options: selector.Options{Exact: true},
			layers: "seccomp", narrowings: "x y z", rejected: "landlock: would leave a gap: what of a", refused: "narrowing",
		}, {
			name:       "two layers close each other's gaps",
			candidates: []selector.Candidate{there("landlock", "a", "n", "u v"), there("seccomp", "b", "n m", "v")},
			layers:     "landlock seccomp", narrowings: "n m", unseen: "v",
		}, {
			name:       "enforced in an order of its own",
			candidates: []selector.Candidate{there("seccomp", "a", "", ""), there("bpflsm", "b", "", "")},
			layers:     "bpflsm seccomp",
		}, {
			name:       "two layers are not taken where one is enough",
			candidates: []selector.Candidate{there("landlock", "a", "", ""), there("seccomp", "", "", ""), there("bpflsm", "", "", "")},
			layers:     "seccomp", rejected: "landlock: would leave a gap: what of a; bpflsm: not needed",
		}, {
			name:       "two without privilege are taken before one with it",
			candidates: []selector.Candidate{there("landlock", "a", "", ""), there("seccomp", "b", "", ""), there("bpflsm", "", "", "")},
			layers:     "landlock seccomp", rejected: "bpflsm: not needed",
		}, {
			name:       "what covers nothing is no layer",
			candidates: []selector.Candidate{covering("landlock", nothing, "a b"), there("seccomp", "b c", "", "")}, options: selector.Options{BestEffort: true},
			layers: "seccomp", gaps: "b c", rejected: "landlock: would leave a gap: what of a",
		}, {
			name:       "not even where there is no other",
			candidates: []selector.Candidate{covering("landlock", nothing, "a")},
			gaps:       "create", rejected: "landlock: would leave a gap: what of a", refused: "gap",
		}, {
			name:       "a gap that both leave stays",
			candidates: []selector.Candidate{there("landlock", "a c", "", ""), there("seccomp", "b c", "", "")},
			layers:     "landlock seccomp", gaps: "c", refused: "gap",
		}, {
			name:       "what is asked for is taken",
			candidates: []selector.Candidate{there("landlock", "", "", ""), there("seccomp", "", "n", "")}, options: selector.Options{Backends: []string{"seccomp"}},
			layers: "seccomp", narrowings: "n", rejected: "landlock: not asked for",
		}, {
			name:       "all that is asked for is layered",
			candidates: []selector.Candidate{there("landlock", "", "", ""), there("seccomp", "", "n", "")}, options: selector.Options{Backends: []string{"seccomp", "landlock", "seccomp"}},
			layers: "landlock seccomp", narrowings: "n",
		}, {
			name:       "what is asked for and leaves a gap is refused",
			candidates: []selector.Candidate{there("landlock", "a", "", ""), there("seccomp", "", "", "")}, options: selector.Options{Backends: []string{"landlock"}},
			layers: "landlock", gaps: "a", rejected: "seccomp: not asked for", refused: "gap",
		}, {
			name:       "no backend at all",
			candidates: []selector.Candidate{missing("landlock", "too old"), missing("seccomp", "not compiled in")},
			gaps:       "create", rejected: "landlock: too old; seccomp: not compiled in", refused: "gap",
		}, {
			name:       "no backend at all, best effort",
			candidates: []selector.Candidate{missing("seccomp", "not compiled in")}, options: selector.Options{BestEffort: true},
			gaps: "create", rejected: "seccomp: not compiled in",
		}, {
			name: "no candidates",
			gaps: "create", refused: "gap",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := selector.NewPlan(policy(t, "unix"), tt.candidates, tt.options)
			var refused *selector.RefusedError
			switch {
			case tt.refused == "" && err != nil:
				t.Errorf("error %v, want none", err)
			case tt.refused != "" && (!errors.As(err, &refused) || refused.Kind != tt.refused):
				t.Errorf("error %v, want a refusal for a %s", err, tt.refused)
			}
			if refused != nil {
				for _, f := range refused.Findings {
					for _, part := range []string{f.What, f.Why, f.Fix} {
						if !strings.Contains(err.Error(), part) {
							t.Errorf("the error %q does not say %q", err, part)
						}
					}
				}
			}
			var layers, rejected []string
			for _, l := range plan.Layers {
				layers = append(layers, l.Backend)
				if len(l.Covers) != 1 || l.Covers[0] != l.Backend+" covers" {
					t.Errorf("layer %s covers %v", l.Backend, l.Covers)
				}
			}
			for _, r := range plan.Rejected {
				rejected = append(rejected, r.Backend+": "+r.Reason)
			}
			for _, part := range []struct{ what, got, want string }{
				{"layers", strings.Join(layers, " "), tt.layers},
				{"gaps", ids(plan.Gaps), tt.gaps},
				{"narrowings", ids(plan.Narrowings), tt.narrowings},
				{"unseen", ids(plan.Unseen), tt.unseen},
				{"rejected", strings.Join(rejected, "; "), tt.rejected},
			} {
				if part.got != part.want {
					t.Errorf("%s are %q, want %q", part.what, part.got, part.want)
				}
			}
			again, _ := selector.NewPlan(policy(t, "unix"), tt.candidates, tt.options)
			if !reflect.DeepEqual(again, plan) {
				t.Errorf("not pure: the second plan is %+v, the first %+v", again, plan)
			}
			text, err := json.Marshal(plan)
			if err != nil || strings.Contains(string(text), ":null") {
				t.Errorf("JSON %s, %v: want no null", text, err)
			}
		})
	}
}

func TestNewPlanErrors(t *testing.T) {
	candidates := []selector.Candidate{missing("landlock", "too old a kernel"), there("seccomp", "", "", "")}
	for _, tt := range []struct {
		name    string
		policy  engine.Policy
		options selector.Options
		want    []string
	}{
		{"unknown backend", engine.Policy{}, selector.Options{Backends: []string{"apparmor"}}, []string{`"apparmor"`, "auto, landlock, seccomp"}},
		{"unavailable backend", engine.Policy{}, selector.Options{Backends: []string{"landlock"}}, []string{"landlock is not available", "too old a kernel"}},
		{"unavailable backend, best effort", engine.Policy{}, selector.Options{Backends: []string{"landlock"}, BestEffort: true}, []string{"too old a kernel"}},
		{"policy that no parser made", engine.Policy{Rules: []engine.Rule{{Family: -7}}}, selector.Options{}, []string{"-7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := selector.NewPlan(tt.policy, candidates, tt.options)
			if err == nil {
				t.Fatalf("no error, plan %+v", plan)
			}
			if len(plan.Layers) > 0 {
				t.Errorf("a plan comes with the error: %+v", plan)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not say %q", err, want)
				}
			}
			if strings.ContainsRune(err.Error(), '\n') || strings.Contains(err.Error(), "BUG") {
				t.Errorf("a user's mistake should be one line and no bug: %q", err)
			}
		})
	}
}

// TestNewPlanKeepsCandidates shares one backing array among findings: merging
// must not write into it.
func TestNewPlanKeepsCandidates(t *testing.T) {
	shared := findings("n m k")
	a := there("landlock", "a", "", "")
	b := there("seccomp", "b", "", "")
	covers := []string{"something"}
	a.Backend = fake{"landlock", engine.Coverage{Covers: covers, Gaps: findings("a"), Narrowings: shared[:1]}}
	b.Backend = fake{"seccomp", engine.Coverage{Covers: covers, Gaps: findings("b"), Narrowings: findings("x y")}}
	if _, err := selector.NewPlan(engine.Policy{}, []selector.Candidate{a, b}, selector.Options{}); err != nil {
		t.Fatal(err)
	}
	if got := ids(shared); got != "n m k" {
		t.Errorf("the candidate's findings became %q", got)
	}
}

// TestBackendsAreOrdered holds every backend to a name of its own and a plan
// over the real ones, as they are on any machine, to be complete.
func TestBackendsAreOrdered(t *testing.T) {
	names := map[string]bool{}
	var candidates []selector.Candidate
	for _, b := range selector.Backends() {
		if names[b.Name()] {
			t.Errorf("two backends are called %s", b.Name())
		}
		names[b.Name()] = true
		candidates = append(candidates, selector.Candidate{Backend: b, Support: engine.Support{Reason: "test"}})
	}
	plan, err := selector.NewPlan(engine.Policy{}, candidates, selector.Options{})
	if err == nil || len(plan.Rejected) != len(candidates) {
		t.Errorf("without any support: %v, rejected %v", err, plan.Rejected)
	}
}
