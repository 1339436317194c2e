// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

// nobody is the unprivileged user of the second run of the table.
const nobody = 65534

// TestBypass runs every way without a sandbox, where it has to work, and with
// every backend, where it has to end as the table says.
func TestBypass(t *testing.T) {
	provide386(t)
	for _, c := range selector.Probe(engine.Trial) {
		name := c.Backend.Name()
		t.Run(name, func(t *testing.T) {
			if !c.Support.Available {
				testutil.Need(t, name, c.Support.Reason, "see sockade probe")
			}
			for _, g := range c.Backend.Assess(engine.Policy{}, c.Support).Gaps { // the table is about sockets
				testutil.Need(t, name+"-sockets", g.Why, "boot a kernel with socket rules, see internal/guest/testkernel")
			}
			if !slices.Contains(judged, name) {
				t.Fatalf("the table does not say what happens with %s: no silent row", name)
			}
			users := map[string]*syscall.SysProcAttr{fmt.Sprintf("uid=%d", os.Getuid()): nil}
			if os.Getuid() == 0 && name != "bpflsm" { // which takes root
				cred := &syscall.Credential{Uid: nobody, Gid: nobody}
				users[fmt.Sprintf("uid=%d", nobody)] = &syscall.SysProcAttr{Credential: cred}
			}
			for user, attr := range users {
				t.Run(user, func(t *testing.T) {
					for _, w := range ways {
						if w.root && os.Getuid() == 0 && attr != nil {
							continue // it has its row as root
						}
						t.Run(w.name, func(t *testing.T) {
							t.Parallel()
							runRow(t, w, c, attr)
						})
					}
				})
			}
		})
	}
}

// provide386 names a 32-bit program to the children, where the machine can have one.
func provide386(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		return
	}
	dir, err := os.MkdirTemp("", "sockade-bypass-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // nobody runs it too
		t.Fatal(err)
	}
	program, missing, err := testutil.Build(dir, "internal/bypass/testdata/socket32", "386")
	if err != nil {
		t.Fatal(err)
	}
	if missing == "" { // else the rows that need it say so
		t.Setenv(env386, program)
	}
}

// runRow is one cell of the table: one way, one backend, one user.
func runRow(t *testing.T, w way, c selector.Candidate, attr *syscall.SysProcAttr) {
	if w.amd64 && runtime.GOARCH != "amd64" {
		testutil.Need(t, "amd64", "this is "+runtime.GOARCH, "run the tests on an x86-64 machine")
	}
	root := os.Getuid() == 0 && attr == nil
	if w.root && !root {
		testutil.Need(t, "root", "this run has another user", "run the tests as root")
	}
	check := func(needs []need) {
		for _, n := range needs {
			capability, missing, fix := n(root)
			testutil.Need(t, capability, missing, fix)
		}
	}
	check(w.needs)
	name := c.Backend.Name()
	if name == "bpflsm" || name == "landlock" { // they are behind the entries: where one is not there, nothing is denied
		check(w.controlNeeds)
	}
	w = w.on(c)
	checkPlan(t, w, c)

	var sandboxed, control outcome
	testutil.InChild(t, testutil.Child{Name: "way", Arg: attempt{Way: w.name, Backend: name}, Attr: attr}, &sandboxed)
	if sandboxed.Seen != w.seen {
		t.Errorf("in the sandbox it %s, want %s (%s) %v", sandboxed.Seen, w.seen, sandboxed.Refusal, sandboxed.Foreign)
	}
	if !strings.Contains(sandboxed.Refusal, w.refusal) {
		t.Errorf("refused with %q, which does not say %q", sandboxed.Refusal, w.refusal)
	}
	if w.end == unseen && !slices.Contains(sandboxed.Unseen, w.finding) {
		t.Errorf("the report of selector.Restrict lists %v as unseen, and not %s", sandboxed.Unseen, w.finding)
	}
	if w.end == narrowed && w.image == nil && !slices.Contains(sandboxed.Narrowings, w.finding) {
		t.Errorf("the report of selector.Restrict lists %v as narrowings, and not %s", sandboxed.Narrowings, w.finding)
	}
	if (w.end == closed || w.end == narrowed) && len(sandboxed.Foreign) > 0 {
		t.Errorf("sockets outside the policy: %s", strings.Join(sandboxed.Foreign, ", "))
	}

	if testing.Short() && attr != nil {
		return // the other user's run has shown that it works
	}
	// Without the control run a way that never works would look closed.
	check(w.controlNeeds)
	testutil.InChild(t, testutil.Child{Name: "way", Arg: attempt{Way: w.name}, Attr: attr}, &control)
	if want := w.wantControl(); control.Seen != want {
		t.Errorf("without a sandbox it %s, want %s: the row proves nothing", control.Seen, want)
	}
}

// checkPlan holds the plan to what the row says: a way that is not simply
// closed is in the plan by its ID, and a gap refuses to start.
func checkPlan(t *testing.T, w way, c selector.Candidate) {
	plan, err := selector.NewPlan(w.policy(), []selector.Candidate{c}, selector.Options{Backends: []string{c.Backend.Name()}})
	var gapErr *selector.RefusedError
	if w.end == gap {
		if !errors.As(err, &gapErr) || gapErr.Kind != "gap" {
			t.Errorf("a strict plan gives %v, want a refusal for the gap %s", err, w.finding)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	lists := map[end][]engine.Finding{narrowed: plan.Narrowings, gap: plan.Gaps, unseen: plan.Unseen}
	if w.finding == engine.FindingBefore || w.end == narrowed && w.image == nil {
		return // about a process that restricts itself: in the report of that
	}
	list, ok := lists[w.end]
	if ok != (w.finding != "") {
		t.Errorf("BUG(bypass): row is %s with finding %q", w.end, w.finding)
	}
	if ok && !slices.ContainsFunc(list, func(f engine.Finding) bool { return f.ID == w.finding }) {
		t.Errorf("the plan does not report %s as %s: %+v", w.finding, w.end, list)
	}
}

func TestWayNamesAreUnique(t *testing.T) {
	names := map[string]bool{}
	for _, w := range ways {
		if names[w.name] {
			t.Errorf("two rows are called %q", w.name)
		}
		names[w.name] = true
	}
}
