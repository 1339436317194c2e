// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sockade/sockade/"

// arrows are the imports that packages of the module must not have. A path
// that ends in a slash stands for all packages below it; but lists exceptions, and
// what is within except may have them.
var arrows = []struct {
	from, except string
	not          []string
	but          []string
	why          string
}{
	{
		from: "engine", not: []string{module}, but: []string{module + "engine/"},
		why: "the reference must not depend on what it judges",
	},
	{
		from: "engine", not: []string{"syscall", "golang.org/x/sys/", "os", "os/", "unsafe", "net"},
		why: "the engine is pure and builds on every GOOS",
	},
	{
		from: "backends/", not: []string{module + "selector", module + "cmd/", module + "bench", module + "internal/conformance"},
		why: "a backend knows nothing of who chooses or tests it",
	},
	{
		from: "internal/cbpf", not: []string{module}, but: []string{module + "internal/cbpf/"},
		why: "the assembler is below all others",
	},
	{
		from: "internal/sys", not: []string{module}, but: []string{module + "internal/sys/"},
		why: "raw system calls are below all others",
	},
	{
		from: "selector", not: []string{module + "cmd/", module + "bench", module + "internal/conformance"},
		why: "the library does not depend on the command or on its tests",
	},
	{
		from: "internal/conformance", not: []string{module + "selector", module + "cmd/"},
		why: "what is tested is passed in",
	},
	{
		from: "bench", not: []string{module + "cmd/", module + "internal/conformance", module + "internal/guest/", "gonum.org/", "html/", "image/"},
		why: "it measures; charts and tables belong to cmd/sockade-bench",
	},
	{
		from: "internal/conformance", not: []string{module + "bench"},
		why: "a verdict does not depend on what it costs",
	},
	{from: "", not: []string{module + "cmd/"}, why: "a command is nobody's library"},
	{
		from: "", except: "internal/guest", not: []string{module + "internal/testutil", module + "internal/guest/"},
		why: "it is for tests only, and for what runs them in guests",
	},
}

func TestImportArrows(t *testing.T) {
	packages := modulePackages(t)
	for path, imports := range packages {
		name := strings.TrimPrefix(path, module)
		for _, a := range arrows {
			if !within(name, a.from) || a.except != "" && within(name, a.except) {
				continue
			}
			for _, imported := range imports {
				if matches(imported, a.not) && !matches(imported, a.but) {
					t.Errorf("%s imports %s: %s", name, imported, a.why)
				}
			}
		}
		if !strings.HasPrefix(name, "backends/") {
			continue
		}
		for _, imported := range imports {
			own := module + "backends/" + strings.Split(name, "/")[1]
			if strings.HasPrefix(imported, module+"backends/") && imported != own && !strings.HasPrefix(imported, own+"/") {
				t.Errorf("%s imports %s: backends never import each other", name, imported)
			}
		}
	}
	for _, name := range []string{"engine", "selector", "backends/seccomp", "bench", "cmd/sockade"} {
		if packages[module+name] == nil {
			t.Errorf("no package %s found: this test looks at nothing", name)
		}
	}
}

// within tells whether a package is the one named, or below it.
func within(name, dir string) bool {
	return dir == "" || name == strings.TrimSuffix(dir, "/") || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

func matches(path string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		return path == strings.TrimSuffix(p, "/") || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p)
	})
}

// modulePackages returns the imports of every package of the module.
func modulePackages(t *testing.T) map[string][]string {
	t.Helper()
	needGo(t)
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v: %s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	packages := map[string][]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages[p.ImportPath] = append([]string{}, p.Imports...)
	}
}
