// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"github.com/sockade/sockade/internal/guest/job"
)

// TestTake: only a step that ran something and ended well is no problem.
func TestTake(t *testing.T) {
	const passes = "=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\n"
	tests := job.Step{Name: "selector as root"}
	verify := job.Step{Name: "verify as root"}
	for name, c := range map[string]struct {
		result  job.Result
		problem string // in the first one; empty for none
	}{
		"passes":       {job.Result{Step: tests, Stdout: []byte(passes)}, ""},
		"nothing runs": {job.Result{Step: tests, Stdout: []byte("testing: warning: no tests to run\nPASS\n")}, "nothing was run"},
		"silent":       {job.Result{Step: tests}, "nothing was run"},
		"fails": {job.Result{Step: tests, Status: 1, Stdout: []byte(
			"=== RUN   TestA\n    a_test.go:1: noise\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n    b_test.go:1: broken\n--- FAIL: TestB (0.00s)\nFAIL\n",
		)}, "broken"},
		"fails side by side": {job.Result{Step: tests, Status: 1, Stdout: []byte(
			"=== RUN   TestA\n=== RUN   TestA/x\n=== PAUSE TestA/x\n=== RUN   TestA/y\n=== PAUSE TestA/y\n=== CONT  TestA/x\n    a_test.go:1: broken\n" +
				"=== CONT  TestA/y\n    a_test.go:1: noise\n=== NAME  TestA/x\n    a_test.go:2: more\n--- FAIL: TestA (0.00s)\n    --- PASS: TestA/y (0.00s)\n    --- FAIL: TestA/x (0.00s)\nFAIL\n",
		)}, "broken\n    a_test.go:2: more\n    --- FAIL: TestA/x"},
		"panics":    {job.Result{Step: tests, Status: 2, Stdout: []byte("=== RUN   TestA\n--- PASS: TestA (0.00s)\npanic: boom\n")}, "boom"},
		"is killed": {job.Result{Step: tests, Status: -1, Error: "killed after 600 s", Stdout: []byte(passes)}, "killed after"},
		"is killed in the middle": {job.Result{Step: tests, Status: -1, Error: "killed after 600 s", Stdout: []byte(
			"=== RUN   TestA\n    a_test.go:1: noise\n--- PASS: TestA (0.00s)\n=== RUN   TestB\n=== RUN   TestB/x\n    b_test.go:1: waits\n",
		)}, "--- still running: TestB\n    b_test.go:1: waits\n--- still running: TestB/x"},
		"verifies":       {job.Result{Step: verify, Stdout: []byte(`{"backends":[{"requests":5}]}`)}, ""},
		"verify, silent": {job.Result{Step: verify}, "nothing was run"},
		"verify, diverged": {job.Result{
			Step: verify, Status: 1, Stdout: []byte(`{"backends":[{"requests":5,"divergences":1}]}`), Stderr: []byte("1 divergences"),
		}, "1 divergences"},
	} {
		t.Run(name, func(t *testing.T) {
			r := row{reasons: map[string]int{}}
			r.take(c.result)
			switch text := strings.Join(r.problems, "\n"); {
			case c.problem == "" && text != "":
				t.Errorf("problem %q", text)
			case !strings.Contains(text, c.problem), strings.Contains(text, "noise"):
				t.Errorf("problem %q, which should say %q", text, c.problem)
			}
		})
	}
}
