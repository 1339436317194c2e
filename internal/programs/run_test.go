// SPDX-License-Identifier: Apache-2.0

package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sockade/sockade/internal/testutil"
)

// sockade is the binary under test.
var sockade string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "sockade-programs")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	var missing string
	sockade, missing, err = testutil.Build(dir, "cmd/sockade", runtime.GOARCH)
	if err != nil || missing != "" {
		fmt.Fprintf(os.Stderr, "build sockade: %v%s\n", err, missing)
		return 1
	}
	return testutil.RunTests(m)
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	status         int
}

// sandboxed puts "sockade run" with the flags in front of a command line; no
// flags, no sandbox.
func sandboxed(flags string, argv ...string) []string {
	if flags == "" {
		return argv
	}
	return append(append([]string{sockade, "run"}, strings.Fields(flags)...), append([]string{"--"}, argv...)...)
}

func run(t *testing.T, argv ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || !exit.Exited()) {
		t.Fatalf("%v: %v\n%s", argv, err, stderr.String())
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// start runs a server in the background until the test ends.
func start(t *testing.T, argv ...string) {
	t.Helper()
	var output bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		if t.Failed() {
			t.Logf("%v printed:\n%s", argv, output.String())
		}
	})
}

// web is a server outside of every sandbox.
func web(t *testing.T) (port string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// freePort returns a port that nobody listens on right now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// fetch gets a page from a server that may still be starting.
func fetch(t *testing.T, port string) string {
	t.Helper()
	var last error
	for range 100 {
		r, err := http.Get("http://127.0.0.1:" + port + "/")
		if err == nil {
			defer r.Body.Close()
			var body bytes.Buffer
			if _, err := body.ReadFrom(r.Body); err != nil {
				t.Fatal(err)
			}
			return body.String()
		}
		last = err
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no answer: %v", last)
	return ""
}

func need(t *testing.T, program, pkg string) {
	t.Helper()
	missing := ""
	if _, err := exec.LookPath(program); err != nil {
		missing = "not installed"
	}
	testutil.Need(t, program, missing, "apt-get install "+pkg)
}
