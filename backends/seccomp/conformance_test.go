// SPDX-License-Identifier: Apache-2.0

//go:build linux

package seccomp

import (
	"os"
	"testing"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) {
	known := []engine.Backend{New(), NewLibseccomp(), nothing{}}
	for _, d := range defects {
		known = append(known, d.backend())
	}
	conformance.Main(append(known, ringMutants()...))
	os.Exit(testutil.RunTests(m))
}

// TestConformance is what "sockade verify" does, over every policy and entry.
func TestConformance(t *testing.T) {
	for _, b := range []engine.Backend{New(), NewLibseccomp()} {
		support := b.Probe(engine.Trial)
		if !support.Available {
			t.Logf("%s: %s", b.Name(), support.Reason)
			continue
		}
		report, err := conformance.Run(t.Context(), conformance.Config{Backends: []engine.Backend{b}, Seed: 1, Thin: 3})
		if err != nil {
			t.Fatal(err)
		}
		result := report.Backends[0]
		t.Logf("%s: %d requests, %d divergences, %d narrowed; missing %v, skipped %v", b.Name(), result.Requests, result.Divergences, result.Narrowed, report.Missing, result.Skipped)
		for _, d := range append(report.Reference.Diverged, result.Diverged...) {
			t.Error(d)
		}
		if report.Divergences() > 0 || result.Requests < 1_000_000 {
			t.Errorf("%d divergences in %d requests", report.Divergences(), result.Requests)
		}
	}
}

// nothing enforces nothing.
type nothing struct{ backend }

func (nothing) Name() string { return "nothing" }

func (nothing) Prepare(engine.Policy, engine.Support) (engine.Layer, error) { return nothing{}, nil }

func (nothing) Assess(engine.Policy, engine.Support) engine.Coverage { return engine.Coverage{} }

func (nothing) Enforce(engine.Scope) error { return nil }

func (nothing) Close() error { return nil }
