// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// tooHeavy is what must not be linked into sockade, since every run pays for
// it, and why. The figures are milliseconds over a bare program.
var tooHeavy = map[string]string{
	"github.com/spf13/":             "cobra and pflag: 0.06 and 0.03 of what bwrap takes to start; package flag does",
	"net":                           "resolver and netip tables; nothing here speaks to a network",
	"net/http":                      "a web server: 0.3 ms and 4 MB",
	"regexp":                        "fills the tables of package unicode at start",
	"text/template":                 "net/url, reflection over methods; help is a few lines of fmt",
	"html/template":                 "0.18 ms; pages are made by sockade-bench",
	"crypto/rand":                   "self tests at start, and a timer at first use; unix.Getrandom does",
	"crypto/tls":                    "comes with net/http; nothing here speaks to a network",
	"encoding/xml":                  "comes with charts",
	"encoding/gob":                  "builds type tables at start",
	"go/ast":                        "source tools: in generators only",
	"go/types":                      "source tools: in generators only",
	"image":                         "charts: 0.3 to 0.95 ms; they belong to sockade-bench",
	"image/png":                     "charts: 0.3 to 0.95 ms; they belong to sockade-bench",
	"expvar":                        "registers itself with net/http",
	"testing":                       "registers flags; for tests only",
	"log/slog":                      "0.05 ms; errors are one line",
	"debug/elf":                     "decompressors and DWARF for the 20 bytes that elf.go reads",
	"os/user":                       "parses passwd; with cgo it also makes the binary dynamic",
	"os/signal":                     "starts a thread; run becomes the command and has nothing to wait for",
	"gonum.org/":                    "charts and statistics belong to sockade-bench",
	"github.com/go-analyze/":        "charts belong to sockade-bench",
	"github.com/jedib0t/":           "tables: text/tabwriter does",
	"github.com/cilium/ebpf":        "0.33 ms with link: sockade-bpf loads the programs",
	"github.com/rogpeppe/":          "for tests only",
	"pgregory.net/":                 "for tests only",
	"github.com/google/go-cmp/":     "for tests only",
	"github.com/u-root/":            "test guests only",
	"github.com/charmbracelet/":     "0.5 ms of terminal queries",
	"go.uber.org/":                  "no logging framework",
	"google.golang.org/":            "registers descriptors at start",
	module + "bench":                "benchmarks belong to sockade-bench",
	module + "internal/guest":       "runs QEMU; tests only",
	module + "internal/testutil":    "tests only",
	module + "cmd/sockade-bench":    "sockade bench executes it",
	module + "internal/testkernel/": "tests only",
}

func TestNoHeavyImports(t *testing.T) {
	needGo(t)
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, module+"engine") {
		t.Fatalf("go list gives no engine: this test looks at nothing")
	}
	for _, dep := range deps {
		for heavy, why := range tooHeavy {
			if matches(dep, []string{heavy}) {
				t.Errorf("sockade links %s: %s; go list -deps and go mod why -m show what brings it in", dep, why)
			}
		}
	}
}
