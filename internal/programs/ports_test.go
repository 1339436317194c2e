// SPDX-License-Identifier: Apache-2.0

package programs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sockade/sockade/backends/landlock"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/testutil"
)

// portsPolicy writes a policy that is about ports, and returns the flags for it.
func portsPolicy(t *testing.T, ports string) (flags string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.toml")
	text := "allow = [\"unix\", \"tcp\", \"udp\", \"netlink/raw/route\"]\n[ports]\n" + ports + "\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return "--policy " + file
}

func needPorts(t *testing.T) {
	t.Helper()
	s := landlock.New().Probe(engine.Trial)
	missing := s.Reason
	if missing == "" && !s.Has(landlock.TCPPorts) {
		missing = "Landlock has no rules for ports here"
	}
	testutil.Need(t, "landlock-ports", missing, "boot Linux 6.7 or later with landlock in lsm=")
}

// TestPorts: programs reach the ports of a policy as without a sandbox, and say in their
// own words that they may not reach another.
func TestPorts(t *testing.T) {
	needPorts(t)
	port, dir := web(t), t.TempDir()
	for _, c := range []struct {
		name, pkg string
		argv      []string
		denied    string
	}{
		{"curl", "curl", []string{"curl", "-sS", "--tcp-fastopen", "http://127.0.0.1:" + port}, "Couldn't connect to server|Failed to connect|Immediate connect fail|connect fail"},
		{"python3", "python3", []string{"python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:" + port + "').read().decode(), end='')"}, "Permission denied"},
		{"node", "nodejs", []string{"node", "-e", "require('http').get('http://127.0.0.1:" + port + "', r => r.pipe(process.stdout))"}, "EACCES"},
	} {
		t.Run(c.name, func(t *testing.T) {
			need(t, c.name, c.pkg)
			plain := run(t, c.argv...)
			if plain.status != 0 || plain.stdout != "hello" {
				t.Fatalf("without a sandbox: %+v", plain)
			}
			if got := run(t, sandboxed(portsPolicy(t, "connect_tcp = ["+port+"]"), c.argv...)...); got != plain {
				t.Errorf("with its port allowed: %+v", got)
			}
			got := run(t, sandboxed(portsPolicy(t, "connect_tcp = [1]"), c.argv...)...)
			if got.status == 0 || got.status >= 125 || got.stdout != "" || !containsAny(got.stderr, c.denied) {
				t.Errorf("with another port allowed: %+v", got)
			}
		})
	}
	for _, s := range []struct {
		name, pkg string
		argv      func(port string) []string
		denied    string
	}{
		{"nginx", "nginx-light", func(port string) []string {
			return []string{"nginx", "-p", dir, "-e", "stderr", "-c", nginxConf(t, dir, port)}
		}, "bind() to 127.0.0.1:"},
		{"redis-server", "redis-server", func(port string) []string {
			return []string{"redis-server", "--bind", "127.0.0.1", "--port", port, "--save", ""}
		}, "Permission denied"},
	} {
		t.Run(s.name, func(t *testing.T) {
			need(t, s.name, s.pkg)
			port := freePort(t)
			got := run(t, sandboxed(portsPolicy(t, "bind_tcp = [1]"), s.argv(port)...)...)
			if said := got.stdout + got.stderr; got.status == 0 || got.status >= 125 || !strings.Contains(said, s.denied) {
				t.Errorf("with another port allowed: %+v", got)
			}
			if s.name == "nginx" {
				start(t, sandboxed(portsPolicy(t, fmt.Sprintf("bind_tcp = [%s]\nconnect_tcp = []", port)), s.argv(port)...)...)
				if page := fetch(t, port); !strings.Contains(page, "hello from nginx") {
					t.Errorf("the page is %q", page)
				}
			}
		})
	}
}
