// SPDX-License-Identifier: Apache-2.0

package programs

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockade/sockade/internal/testutil"
)

// TestClients: a client that fetches a page prints the same and ends the same
// as without a sandbox under a policy that allows TCP; without TCP it says what
// is wrong in its own words and fails, and no signal ends it.
func TestClients(t *testing.T) {
	port := web(t)
	dir := t.TempDir()
	clients := []struct {
		name, program, pkg string
		argv               []string
		denied             string // what it says when socket(2) fails with EACCES
		unsupported        string // and with EAFNOSUPPORT
	}{
		{
			"curl", "curl", "curl",
			[]string{"curl", "-sS", "http://localhost:" + port},
			"Couldn't connect to server|Failed to connect|Immediate connect fail", "Couldn't connect to server|Failed to connect|Immediate connect fail",
		},
		{
			"python3", "python3", "python3",
			[]string{"python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:" + port + "').read().decode(), end='')"},
			"Permission denied", "Address family not supported by protocol",
		},
		{
			"node", "node", "nodejs",
			[]string{"node", "-e", "require('http').get('http://127.0.0.1:" + port + "', r => r.pipe(process.stdout))"},
			"EACCES", "EAFNOSUPPORT",
		},
		{"Go", "go", "golang", []string{buildGo(t, dir, "amd64"), "get", port}, "permission denied", "address family not supported"},
		{"bash", "bash", "bash", []string{"bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/" + port + " && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && grep -o hello <&3"}, "Permission denied", "Address family not supported"},
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			need(t, c.program, c.pkg)
			plain := run(t, c.argv...)
			if plain.status != 0 || !strings.Contains(plain.stdout, "hello") {
				t.Fatalf("without a sandbox: %+v", plain)
			}
			for _, flags := range []string{"--allow tcp,unix", "--allow all", "--allow all --deny alg,packet"} {
				if got := run(t, sandboxed(flags, c.argv...)...); got != plain {
					t.Errorf("with %s: %+v; without a sandbox: %+v", flags, got, plain)
				}
			}
			for flags, says := range map[string]string{"--allow unix": c.denied, "--allow unix --errno unsupported": c.unsupported} {
				got := run(t, sandboxed(flags, c.argv...)...)
				if got.status == 0 || got.status >= 125 || strings.Contains(got.stdout, "hello") || !containsAny(got.stderr, says) {
					t.Errorf("with %s: %+v; it should fail and say %q", flags, got, says)
				}
			}
		})
	}
}

func containsAny(s, alternatives string) bool {
	for a := range strings.SplitSeq(alternatives, "|") {
		if strings.Contains(s, a) {
			return true
		}
	}
	return false
}

// TestProgram32 runs 32-bit x86 programs. Those that make the direct calls are
// exact. Debian's glibc and Go's 386 port use socketcall(2), which the filter
// denies whole: run says so beforehand.
func TestProgram32(t *testing.T) {
	port := web(t)
	dir := t.TempDir()
	t.Run("direct calls", func(t *testing.T) {
		connect := buildC32(t, dir, "-DDIRECT")
		plain := run(t, connect, port)
		if !strings.HasPrefix(plain.stdout, "HTTP/1.0 200") {
			t.Fatalf("without a sandbox: %+v", plain)
		}
		got := run(t, sandboxed("--allow tcp", connect, port)...)
		if got.status != plain.status || got.stdout != plain.stdout {
			t.Errorf("with TCP: %+v; without a sandbox: %+v", got, plain)
		}
		if got := run(t, sandboxed("--allow unix", connect, port)...); got.status != 1 || !strings.Contains(got.stderr, "socket: Permission denied") {
			t.Errorf("without TCP: %+v", got)
		}
	})
	t.Run("C library", func(t *testing.T) { narrowed(t, "socket: Permission denied", buildC32(t, dir), port) })
	t.Run("Go", func(t *testing.T) { narrowed(t, "permission denied", buildGo(t, dir, "386"), "get", port) })
}

// narrowed runs a program that uses socketcall(2) and prints what a server says.
func narrowed(t *testing.T, denied string, argv ...string) {
	t.Helper()
	plain := run(t, argv...)
	if plain.stdout == "" || plain.status != 0 {
		t.Fatalf("without a sandbox: %+v", plain)
	}
	got := run(t, sandboxed("--allow tcp,unix", argv...)...)
	if got.status != 1 || !strings.Contains(got.stderr, denied) {
		t.Errorf("socketcall was not denied: %+v", got)
	}
	if !strings.Contains(got.stderr, "32-bit") || !strings.Contains(got.stderr, "socketcall") {
		t.Errorf("run does not say that the narrowing hits this program: %+v", got)
	}
	if got := run(t, sandboxed("--allow all", argv...)...); got != plain {
		t.Errorf("with all: %+v; without a sandbox: %+v", got, plain)
	}
	if got := run(t, sandboxed("--allow tcp,unix --exact", argv...)...); got.status != 125 {
		t.Errorf("--exact started with a narrowing: %+v", got)
	}
}

// buildC32 compiles testdata/connect32.c.
func buildC32(t *testing.T, dir string, flags ...string) string {
	t.Helper()
	need(t, "gcc", "gcc")
	out := filepath.Join(dir, "connect32"+strings.Join(flags, ""))
	missing := ""
	if text, err := exec.Command("gcc", append(flags, "-m32", "-o", out, "testdata/connect32.c")...).CombinedOutput(); err != nil {
		if !strings.Contains(string(text), "bits/") && !strings.Contains(string(text), "libgcc") {
			t.Fatalf("%v\n%s", err, text)
		}
		missing = "gcc has no 32-bit C library"
	}
	testutil.Need(t, "32-bit C programs", missing, "apt-get install gcc-multilib")
	return out
}

// buildGo compiles testdata/httpd for an architecture.
func buildGo(t *testing.T, dir, goarch string) string {
	t.Helper()
	program, missing, err := testutil.Build(dir, "internal/programs/testdata/httpd", goarch)
	if err != nil {
		t.Fatal(err)
	}
	testutil.Need(t, "go", missing, "install Go")
	return program
}
