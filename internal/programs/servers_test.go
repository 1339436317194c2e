// SPDX-License-Identifier: Apache-2.0

package programs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestServers: a server that listens on TCP serves under a policy that allows
// it and stops with its own message under one that does not.
func TestServers(t *testing.T) {
	dir := t.TempDir()
	servers := []struct {
		name, program, pkg string
		argv               func(port string) []string
		page, denied       string
	}{
		{"nginx", "nginx", "nginx-light", func(port string) []string {
			return []string{"nginx", "-p", dir, "-e", "stderr", "-c", nginxConf(t, dir, port)}
		}, "hello from nginx", "socket() 127.0.0.1:"},
		{"Go net-http", "go", "golang", func(port string) []string {
			return []string{buildGo(t, dir, "amd64"), "serve", port}
		}, "hello", "permission denied"},
		{"python3", "python3", "python3", func(port string) []string {
			return []string{"python3", "-m", "http.server", "--bind", "127.0.0.1", port}
		}, "Directory listing", "PermissionError"},
		{"node", "node", "nodejs", func(port string) []string {
			return []string{"node", "-e", "require('http').createServer((q, r) => r.end('hello')).listen(" + port + ", '127.0.0.1')"}
		}, "hello", "EACCES"},
	}
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			need(t, s.program, s.pkg)
			port := freePort(t)
			start(t, sandboxed("--allow tcp,unix", s.argv(port)...)...)
			if page := fetch(t, port); !strings.Contains(page, s.page) {
				t.Errorf("the page is %q", page)
			}
			got := run(t, sandboxed("--allow unix", s.argv(freePort(t))...)...)
			if got.status == 0 || got.status >= 125 || !strings.Contains(got.stderr, s.denied) {
				t.Errorf("without TCP: %+v", got)
			}
		})
	}
}

func nginxConf(t *testing.T, dir, port string) string {
	t.Helper()
	path := filepath.Join(dir, "nginx.conf")
	text := fmt.Sprintf(`daemon off; worker_processes 2; pid %[1]s/nginx-%[2]s.pid; error_log stderr;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  server { listen 127.0.0.1:%[2]s; location / { return 200 "hello from nginx"; } }
}`, dir, port)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRedis: over TCP where that is allowed, and over a UNIX socket with no
// network at all.
func TestRedis(t *testing.T) {
	need(t, "redis-server", "redis-server")
	dir := t.TempDir()
	ping := func(argv ...string) result {
		var got result
		for range 100 {
			if got = run(t, append([]string{"redis-cli"}, argv...)...); got.stdout == "PONG\n" {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		return got
	}
	serve := []string{"redis-server", "--save", "", "--dir", dir, "--bind", "127.0.0.1"}
	port := freePort(t)
	start(t, sandboxed("--allow tcp,unix", append(serve, "--port", port)...)...)
	if got := ping("-p", port, "ping"); got.stdout != "PONG\n" {
		t.Errorf("over TCP: %+v", got)
	}
	socket := filepath.Join(dir, "redis.sock")
	start(t, sandboxed("--allow unix", append(serve, "--port", "0", "--unixsocket", socket)...)...)
	if got := ping("-s", socket, "ping"); got.stdout != "PONG\n" {
		t.Errorf("over a UNIX socket: %+v", got)
	}
	if got := run(t, sandboxed("--allow unix", append(serve, "--port", freePort(t))...)...); got.status == 0 || got.status >= 125 || !strings.Contains(got.stdout, "Failed listening on port") {
		t.Errorf("without TCP: %+v", got)
	}
}
