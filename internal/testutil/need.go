// SPDX-License-Identifier: Apache-2.0

package testutil

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// Variables that [Need] reads.
const (
	// envRequire lists, separated by commas, capabilities whose lack is a failure.
	envRequire = "SOCKADE_REQUIRE"
	// envSkips names a file to which every skip adds its line, for the sum at
	// the end of a run over many packages ("go test" hides the output of a
	// package that passes). Run with -count=1: a cached result adds nothing.
	envSkips = "SOCKADE_SKIPS"
)

var skips atomic.Int64

// Need skips the test where the machine lacks a capability: missing says why it
// does and is empty where the capability is there; fix says what would change
// that. It is the only place that skips. The error of the thing under test is
// never a reason. A capability that SOCKADE_REQUIRE names fails the test.
func Need(t testing.TB, capability, missing, fix string) {
	t.Helper()
	if missing == "" {
		return
	}
	if required(capability) {
		t.Fatalf("%s requires %s: %s: %s", envRequire, capability, missing, fix)
	}
	line, err := Skip(capability, missing, fix)
	if err != nil {
		t.Fatalf("record a skip: %v", err)
	}
	t.Skip(line)
}

// Skip counts what a program that is no test cannot run here, and returns the
// line to print.
func Skip(capability, missing, fix string) (line string, err error) {
	skips.Add(1)
	line = oneLine(fmt.Sprintf("SKIP: %s: %s: %s", capability, missing, fix))
	return line, record(line)
}

// Skips returns how many tests of this process were skipped.
func Skips() int { return int(skips.Load()) }

func required(capability string) bool {
	return slices.ContainsFunc(strings.Split(os.Getenv(envRequire), ","), func(name string) bool {
		return strings.EqualFold(strings.TrimSpace(name), capability)
	})
}

// record appends the line with a single write, so that the test binaries of
// several packages can share the file.
func record(line string) error {
	path := os.Getenv(envSkips)
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
