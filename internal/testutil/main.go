// SPDX-License-Identifier: Apache-2.0

package testutil

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// Main is what TestMain calls: it runs the tests and prints how many were
// skipped, or, in a process that [Run] started, runs the child function.
func Main(m *testing.M, children Children) {
	if name, ok := os.LookupEnv(envChild); ok {
		if err := runChild(name, children); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(RunTests(m))
}

// RunTests runs the tests of a package whose TestMain has more to do than
// [Main], prints how many were skipped, and returns the exit status.
func RunTests(m *testing.M) int {
	code := m.Run()
	if n := Skips(); n > 0 {
		fmt.Printf("%d skipped for lack of a capability\n", n)
	}
	return code
}

// PipeFD returns the descriptor to which this child reports, -1 for none.
func PipeFD() int {
	fd, err := strconv.Atoi(os.Getenv(envPipe))
	if err != nil {
		return -1
	}
	return fd
}

func runChild(name string, children Children) error {
	f, ok := children[name]
	if !ok {
		return fmt.Errorf("BUG(testutil): no child function %q", name)
	}
	report, err := f([]byte(os.Getenv(envArg)))
	if PipeFD() < 0 {
		return err
	}
	var m message
	if err != nil {
		m.Err = err.Error()
	}
	if m.Report, err = json.Marshal(report); err != nil {
		m.Err = err.Error()
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	pipe := os.NewFile(uintptr(PipeFD()), "report")
	if _, err := pipe.Write(text); err != nil {
		return fmt.Errorf("child %s: report: %w", name, err)
	}
	return pipe.Close()
}
