// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

// The scripts in testdata/script are what the command line promises, with
// comments that read as the specification. In them sockade is this test
// binary, as are the helper commands of helpers_test.go; the script commands
// of scriptcmds_test.go look at what comes out.

func TestMain(m *testing.M) {
	conformance.Main(selector.Backends()) // a child of verify has none of the names below
	testscript.Main(counted{m}, map[string]func(){
		"sockade": main,
		"mksock":  mksock,
		"useport": useport,
		"withfd":  withfd,
		"nobody":  nobody,
	})
}

// counted says at the end how many tests were skipped.
type counted struct{ *testing.M }

func (m counted) Run() int {
	code := m.M.Run()
	if n := testutil.Skips(); n > 0 {
		fmt.Printf("%d skipped for lack of a capability\n", n)
	}
	return code
}

// scriptT is what testscript needs of a test, and gives the test back.
type scriptT struct{ *testing.T }

func (t scriptT) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(scriptT{t}) })
}

func (t scriptT) Verbose() bool { return testing.Verbose() }

func TestScripts(t *testing.T) {
	testscript.RunT(scriptT{t}, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values["t"] = env.T().(scriptT).T
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			for _, name := range []string{"GOPATH", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOTOOLCHAIN"} {
				if value := goEnv(name); value != "" {
					env.Setenv(name, value)
				}
			}
			return nil
		},
		// [bpflsm] is a line for where that backend works.
		Condition: func(name string) (bool, error) {
			if name != "bpflsm" {
				return false, fmt.Errorf("no condition %s", name)
			}
			return bpflsm.New().Probe(engine.Trial).Available, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"refuses": refuses,
			"lines":   lines,
			"write":   write,
			"build":   build,
			"need":    need,
		},
	})
}

// Every command shows how it is used.
func TestEveryCommandHasExamples(t *testing.T) {
	for _, s := range subcommands {
		c := s.build()
		if c.name != s.name || c.short == "" || c.long == "" || !strings.Contains(c.example, "sockade "+s.name) {
			t.Errorf("%s: a description or an example is missing", s.name)
		}
	}
}

// Help is read in a terminal: no line may be so long that it breaks.
func TestHelpFits(t *testing.T) {
	for _, s := range subcommands {
		for line := range strings.Lines(s.build().help()) {
			if n := len([]rune(line)) - 1; n > 90 {
				t.Errorf("help %s: %d columns: %s", s.name, n, line)
			}
		}
	}
}

func goEnv(name string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return strings.TrimSpace(goTool("env", name))
}
