// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/backends/landlock"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
)

// hasOther tells whether another backend than seccomp takes a policy about sockets here.
func hasOther() bool {
	for _, b := range []engine.Backend{landlock.New(), bpflsm.New()} {
		if s := b.Probe(engine.Trial); s.Available && len(b.Assess(engine.Policy{}, s).Gaps) == 0 {
			return true
		}
	}
	return false
}

// TestRunBPF is TestRun with the backend bpflsm.
func TestRunBPF(t *testing.T) {
	testutil.Need(t, "bpflsm", bpflsm.New().Probe(engine.Trial).Reason, "see sockade probe")
	program := sockade(t)
	for _, state := range []string{"loaded", "unloaded"} {
		t.Run(state, func(t *testing.T) {
			for _, f := range bpfFaults {
				t.Run(f.name, func(t *testing.T) {
					want := f.loaded
					if state == "unloaded" {
						want = f.unloaded
						helper(t, "unload")
					} else {
						helper(t, "load")
					}
					o := run(t, task{Fault: f.name, Argv: commandBy(t, program, "bpflsm")})
					refusal := o.check(t)
					t.Logf("status %d %s", o.status, refusal)
					if want != "*" && (refusal != "" != (want != "") || !strings.Contains(refusal, want)) {
						t.Errorf("refused with %q, want %q", refusal, want)
					}
				})
			}
		})
	}
	helper(t, "load")
}

// helper runs sockade-bpf. The tasks of a sandbox end a while after its processes.
func helper(t *testing.T, arg string) {
	t.Helper()
	path, err := bpflsm.FindHelper()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	for range 100 {
		stderr.Reset()
		cmd := exec.Command(path, arg)
		cmd.Env, cmd.Stderr = os.Environ(), &stderr
		if err = cmd.Run(); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s %s: %v: %s", path, arg, err, &stderr)
}
