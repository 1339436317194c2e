// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sockade/sockade/internal/testutil"
)

// exits N CMD…: the command ends with status N.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N CMD…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := status(ts, args[1:]); got != want {
		ts.Fatalf("status %d, want %d", got, want)
	}
}

// status runs a command; arguments may have \x escapes.
func status(ts *testscript.TestScript, args []string) int {
	var words []string
	for _, a := range args {
		words = append(words, unescape(ts, a))
	}
	err := ts.Exec(words[0], words[1:]...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("%v", err)
	return -1
}

// refuses CMD…: status 125, exactly one printable line on stderr that begins
// with "sockade: ", nothing on stdout, and the command, which is always to
// make the file "ran", was not run.
func refuses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: refuses CMD…")
	}
	if got := status(ts, args); got != statusFailed {
		ts.Fatalf("status %d, want %d", got, statusFailed)
	}
	text := ts.ReadFile("stderr")
	if !strings.HasPrefix(text, "sockade: ") || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		ts.Fatalf("stderr is not one line that begins with sockade: %q", text)
	}
	if line := strings.TrimSuffix(text, "\n"); oneLine(line) != line {
		ts.Fatalf("stderr has control characters: %q", text)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is not empty: %q", out)
	}
	if _, err := os.Stat(ts.MkAbs("ran")); err == nil {
		ts.Fatalf("the command was run")
	}
}

// lines N FILE: the file, stdout or stderr has N lines.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines N FILE")
	}
	if text := ts.ReadFile(args[1]); strconv.Itoa(strings.Count(text, "\n")) != args[0] {
		ts.Fatalf("%s has %d lines, want %s:\n%s", args[1], strings.Count(text, "\n"), args[0], text)
	}
}

// write FILE TEXT [N]: the text, which may have Go's escapes, N times.
func write(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: write FILE TEXT [N]")
	}
	text, n := []byte(unescape(ts, args[1])), 1
	if len(args) > 2 {
		var err error
		n, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat(text, n), 0o666))
}

func unescape(ts *testscript.TestScript, text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
	ts.Check(err)
	return text
}

// build FILE GOARCH PACKAGE: the program of a package of this module.
func build(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: build FILE GOARCH PACKAGE")
	}
	program, missing, err := testutil.Build(ts.Getenv("WORK"), args[2], args[1])
	ts.Check(err)
	testutil.Need(ts.Value("t").(*testing.T), "go", missing, "install Go")
	ts.Check(os.Symlink(program, ts.MkAbs(args[0])))
}

// need CAPABILITY…: skips where the machine has none.
func need(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		look, ok := capabilities[name]
		if neg || !ok {
			ts.Fatalf("usage: need CAPABILITY…; there is no %s", name)
		}
		missing, fix := look()
		testutil.Need(ts.Value("t").(*testing.T), name, missing, fix)
	}
}
