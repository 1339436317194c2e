// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/internal/testutil"
)

var update = flag.Bool("update", false, "write the version of the objects to version.go")

// TestVersion: other programs are another version, so that an upgrade loads them.
func TestVersion(t *testing.T) {
	sum := sha256.New()
	for _, object := range []string{"sockade_bpfel.o", "sockade_bpfeb.o"} {
		text, err := os.ReadFile(object)
		if err != nil {
			testutil.Need(t, "source", "the objects are not here", "run it in a checkout")
		}
		sum.Write(text)
	}
	version := fmt.Sprintf("%x", sum.Sum(nil)[:8])
	if version == bpflsm.Version {
		return
	}
	if !*update {
		t.Fatalf("the objects have version %s and version.go says %s: go test ./backends/bpflsm/loader -run TestVersion -update", version, bpflsm.Version)
	}
	const file = "../version.go"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`"[0-9a-f]{16}"`).ReplaceAll(text, []byte(`"`+version+`"`))
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTable: the Go side and the programs speak of the same struct.
func TestTable(t *testing.T) {
	var goes bpflsm.Table
	var c sockadePolicy
	for _, field := range []struct {
		name    string
		goes, c uintptr
	}{
		{"cells", unsafe.Offsetof(goes.Cells), unsafe.Offsetof(c.Table)},
		{"low", unsafe.Offsetof(goes.Low), unsafe.Offsetof(c.Low)},
		{"listed", unsafe.Offsetof(goes.Listed), unsafe.Offsetof(c.Listed)},
		{"ports", unsafe.Offsetof(goes.Ports), unsafe.Offsetof(c.Ports)},
		{"size", unsafe.Sizeof(goes), unsafe.Sizeof(c)},
	} {
		if field.goes != field.c {
			t.Errorf("%s at %d in Go and at %d in C", field.name, field.goes, field.c)
		}
	}
}

// compiler is the one whose objects are committed: others write other ones.
const compiler = "clang version 14."

// TestFresh compiles the programs again.
func TestFresh(t *testing.T) {
	version, err := exec.Command("clang", "--version").Output()
	if err != nil || !strings.Contains(string(version), compiler) {
		testutil.Need(t, "clang", "no "+compiler, "apt-get install clang llvm, on Debian 12")
	}
	if _, err := exec.LookPath("llvm-strip"); err != nil {
		testutil.Need(t, "clang", "no llvm-strip", "apt-get install llvm")
	}
	// The compiler writes the directory into what bpf2go then strips.
	dir := t.TempDir()
	for _, file := range []string{"bpf/kernel.h", "bpf/sockade.bpf.c"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "bpf"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	directive, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(string(directive), "//go:generate ")
	if !found {
		t.Fatal("generate.go has no directive")
	}
	args := strings.Fields(strings.SplitN(command, "\n", 2)[0])
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPACKAGE=loader", "GOFLAGS=-mod=mod")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", args, err, text)
	}
	for _, file := range []string{"sockade_bpfel.o", "sockade_bpfeb.o", "sockade_bpfel.go", "sockade_bpfeb.go"} {
		fresh, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		committed, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fresh, committed) {
			t.Errorf("%s is not what its source makes: go generate ./backends/bpflsm/loader", file)
		}
	}
}
