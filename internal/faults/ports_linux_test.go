// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockade/sockade/backends/landlock"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
)

// TestRunPorts: a command has the ports of its policy or does not run.
func TestRunPorts(t *testing.T) {
	s := landlock.New().Probe(engine.Trial)
	missing := s.Reason
	if missing == "" && !s.Has(landlock.TCPPorts) {
		missing = "it has no rules for ports: " + s.Proof
	}
	testutil.Need(t, "landlock-ports", missing, "boot Linux 6.7 or later with landlock in lsm=")
	program := sockade(t)
	policy := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(policy, []byte("allow = [\"unix\", \"tcp\"]\n[ports]\nbind_tcp = []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, f := range portFaults {
		t.Run(f.name, func(t *testing.T) {
			argv := []string{program, "run", "--backend", "landlock,seccomp", "--policy", policy, "--", self(t)}
			if f.refusal == "ports" || f.refusal == "*" { // what is left to choose from
				argv = []string{program, "run", "--backend", "auto", "--policy", policy, "--", self(t)}
				if hasBPF() {
					testutil.Need(t, "landlock only", "bpflsm enforces ports too", "boot without bpf in lsm=")
				}
			}
			o := run(t, task{Fault: f.name, Argv: argv, Next: "binds"})
			switch refusal := strings.TrimSuffix(o.stderr, "\n"); {
			case o.status == 0 && f.refusal != "ports" && o.stdout == "EACCES\n":
			case o.status == 125 && f.refusal != "" && o.stdout == "" && strings.HasPrefix(refusal, "sockade: ") && !strings.Contains(refusal, "\n") && !strings.Contains(refusal, "BUG("):
				t.Log(refusal)
			default:
				t.Errorf("%+v", o)
			}
		})
	}
}
