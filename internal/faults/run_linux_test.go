// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

func (f fault) need(t *testing.T) {
	t.Helper()
	if f.root && os.Getuid() != 0 {
		testutil.Need(t, "root", "this is another user", "run the tests as root")
	}
}

// TestRun: under every fault a command has its whole policy or does not run.
func TestRun(t *testing.T) {
	program := sockade(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			f.need(t)
			o := run(t, task{Fault: f.name, Argv: command(t, program)})
			refusal := o.check(t)
			t.Logf("status %d %s", o.status, refusal)
			if f.refusal != "*" && (refusal != "") != (f.refusal != "") || f.refusal != "*" && !strings.Contains(refusal, f.refusal) {
				t.Errorf("refused with %q, want %q", refusal, f.refusal)
			}
		})
	}
}

// TestBestEffort: where nothing enforces anything the command runs if that is
// what the user chose, and the gap is named.
func TestBestEffort(t *testing.T) {
	if hasOther() {
		testutil.Need(t, "seccomp only", "another backend enforces what seccomp cannot", "boot a released kernel without bpf in lsm=")
	}
	o := run(t, task{Fault: "seccomp denied", Argv: []string{sockade(t), "run", "--best-effort", "--allow", "unix", "--", self(t)}})
	var a answers
	if err := json.Unmarshal([]byte(o.stdout), &a); err != nil || a.Inet != "ok" {
		t.Fatalf("the command did not run: %+v: %v", o, err)
	}
	if !strings.HasPrefix(o.stderr, "sockade: not enforced: the whole policy") || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("the gap is not named in one line: %q", o.stderr)
	}
}

// TestProbe: what is denied is not "available", and nothing panics.
func TestProbe(t *testing.T) {
	program := sockade(t)
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			f.need(t)
			o := run(t, task{Fault: f.name, Argv: []string{program, "probe", "--json"}})
			var p struct {
				Backends []struct {
					Name, Reason, Proof string
					Available           bool
				}
			}
			if o.status == 125 && strings.HasPrefix(o.stderr, "sockade: ") && strings.Count(o.stderr, "\n") == 1 {
				return // refused to look
			}
			if err := json.Unmarshal([]byte(o.stdout), &p); err != nil || o.status != 0 || o.stderr != "" {
				t.Fatalf("status %d, %q, %v", o.status, o.stderr, err)
			}
			for _, b := range p.Backends {
				if b.Available == (b.Reason != "") || b.Available != (b.Proof != "") {
					t.Errorf("neither here nor there: %+v", b)
				}
				if b.Name == "seccomp" && b.Available == f.noFilter {
					t.Errorf("seccomp is called available: %v: %+v", b.Available, b)
				}
			}
		})
	}
}

// TestPlan: where no filter can be loaded, plan says that run would refuse, and run
// asks the kernel less than plan does.
func TestPlan(t *testing.T) {
	program := sockade(t)
	for _, f := range faults {
		if !f.noFilter {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			if hasOther() {
				testutil.Need(t, "seccomp only", "another backend enforces what seccomp cannot", "boot a released kernel without bpf in lsm=")
			}
			o := run(t, task{Fault: f.name, Argv: []string{program, "plan", "--allow", "unix"}})
			if o.status != 1 || !strings.Contains(o.stdout, "the whole policy") || strings.Count(o.stderr, "\n") != 1 {
				t.Errorf("plan: %+v", o)
			}
			o = run(t, task{Fault: f.name, Argv: []string{program, "run", "--allow", "unix", "--", self(t)}})
			if refusal := o.check(t); !strings.Contains(refusal, "the whole policy") {
				t.Errorf("plan finds no backend, but run: %+v", o)
			}
		})
	}
}

// TestVerify: what cannot be compared is one line about the machine, and neither a
// pass nor a divergence.
func TestVerify(t *testing.T) {
	program := sockade(t)
	for _, f := range faults {
		if f.verify == "" {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			f.need(t)
			o := run(t, task{Fault: f.name, Argv: []string{program, "verify", "--backend", "seccomp", "--one-in", "16"}})
			if o.status != 125 || o.stdout != "" || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, f.verify) {
				t.Errorf("not one line with %q in it: %+v", f.verify, o)
			}
		})
	}
}

// restricts restricts itself under a fault.
func restricts(arg []byte) (any, error) {
	var k task
	if err := json.Unmarshal(arg, &k); err != nil {
		return nil, err
	}
	if err := apply(k.Fault); err != nil {
		return nil, err
	}
	before := ask()
	p := engine.Policy{Rules: []engine.Rule{{Family: unix.AF_UNIX, Type: engine.Any, Protocol: engine.Any}}}
	_, err := selector.Restrict(p, selector.Options{Backends: []string{"seccomp"}})
	r := restricted{Before: before, After: ask()}
	if err != nil {
		r.Err = err.Error()
	}
	return r, nil
}

type restricted struct {
	Before, After answers
	Err           string
}

// TestRestrict: a process that restricts itself has the whole policy afterwards,
// or an error and none of it.
func TestRestrict(t *testing.T) {
	for _, f := range faults {
		if f.root || f.needed {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			var r restricted
			testutil.InChild(t, testutil.Child{Name: "restricts", Arg: task{Fault: f.name}}, &r)
			switch missing := r.After.whole(); {
			case r.Err == "" && missing != "":
				t.Errorf("restricted, but %s: %+v", missing, r.After)
			case r.Err != "" && r.Before != r.After:
				t.Errorf("%s: but something is in force: %+v, before %+v", r.Err, r.After, r.Before)
			case (r.Err != "") != (f.refusal != "") && f.refusal != "*":
				t.Errorf("error %q, want %q", r.Err, f.refusal)
			case strings.Contains(r.Err, "\n"), strings.Contains(r.Err, "BUG"):
				t.Errorf("not one clear line: %q", r.Err)
			}
			t.Log(r.Err)
		})
	}
}
