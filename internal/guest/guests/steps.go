// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/sockade/sockade/internal/guest"
	"github.com/sockade/sockade/internal/guest/job"
	"github.com/sockade/sockade/internal/guest/testkernel"
	"github.com/sockade/sockade/internal/testutil"
)

const (
	module = "github.com/sockade/sockade"
	// source is where the tests find their testdata in the guest.
	source = "/src"
	nobody = 65534
	// stepSeconds bound one step, in emulation.
	stepSeconds = 600
)

// packages whose tests run in the guests, as nobody too where that changes what
// they do. Left out is what asks no kernel, and what compares millions of requests
// by itself, which verify does; the bypass table runs every row as nobody by itself.
// As nobody, and with faults, they run on the oldest and the newest kernel, unless
// -run asks for some.
var packages = []struct {
	path, skip string
	asNobody   bool
	skipNobody string
	outer      bool
	rules      bool // only where there are socket rules
	whole      bool // on the oldest and the newest kernel also what takes its time
}{
	{path: "internal/sys"},
	{path: "internal/cbpf", skip: "VM|Walk|Lookup"},
	{path: "backends/seccomp", skip: "TestConformance|TestMutants|TestCompile"},
	{path: "backends/landlock", skip: "TestConformance|TestCompile", asNobody: true, skipNobody: "TestConformance|TestCompile"},
	{path: "backends/bpflsm/loader", whole: true, skip: "TestVersion|TestFresh|TestTable"},
	{path: "selector", asNobody: true, skipNobody: "TestRestrictRace"},
	{path: "internal/bypass"},
	{path: "cmd/sockade", skip: words, asNobody: true, skipNobody: words + "|TestScripts/verify"},
	{path: "internal/faults", asNobody: true, outer: true},
	{path: "internal/guest/testkernel", skip: "TestRecipe|TestMissing|TestLock|TestBuild", rules: true},
}

// words are tests about what is read and printed, by the shells that there are, and
// about the source.
const words = "TestNoHeavyImports|TestImportArrows|TestScripts/(bad-.*|completion.*|help|flags|check)$"

// programs are what tests build where there is a Go toolchain, by GOARCH.
var programs = map[string][]string{
	"amd64": {"cmd/sockade", "cmd/sockade-bpf"},
	"arm64": {"cmd/sockade", "cmd/sockade-bpf"},
	"386":   {"internal/bypass/testdata/socket32"},
}

// build makes the static programs of the guests and returns what goes into an
// initramfs. It runs in the module.
func build(ctx context.Context, cache, dir, arch string) (guest.Files, error) {
	files := guest.Files{}
	goBuild := func(out, pkg, arch string, args ...string) error {
		args = append(args, "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, out), module+"/"+pkg)
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %v for %s: %w: %s", args, arch, err, text)
		}
		return nil
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m %s: %w: run it in a checkout", module, err)
	}
	checkout := string(root[:len(root)-1])
	if err := goBuild("init", "internal/guest/init", arch, "build"); err != nil {
		return nil, err
	}
	files["/init"] = filepath.Join(dir, "init")
	for programArch, packages := range programs {
		if programArch != arch && (programArch != "386" || arch != "amd64") {
			continue
		}
		for _, pkg := range packages {
			out := filepath.Join("programs", programArch, pkg)
			if err := goBuild(out, pkg, programArch, "build"); err != nil {
				return nil, err
			}
			files[path.Join("/programs", programArch, pkg)] = filepath.Join(dir, out)
		}
	}
	for _, pkg := range programs[arch] {
		files[path.Join("/bin", path.Base(pkg))] = files[path.Join("/programs", arch, pkg)]
	}
	for _, p := range packages {
		if err := goBuild(p.path+"/test", p.path, arch, "test", "-c"); err != nil {
			return nil, err
		}
		files[path.Join(source, p.path, "test")] = filepath.Join(dir, p.path, "test")
		testdata := filepath.Join(checkout, p.path, "testdata")
		if _, err := os.Stat(testdata); err == nil {
			files[path.Join(source, p.path, "testdata")] = testdata
		}
	}
	files[source+"/docs"] = filepath.Join(checkout, "docs")
	if files["/bin/busybox"], err = guest.FetchBusybox(ctx, cache, arch); err != nil {
		return nil, err
	}
	return files, nil
}

// oneIn keeps a verify in emulation below a minute, and above a million requests on
// x86-64, where other architectures are slower and have fewer entries.
func oneIn(arch string) string {
	if arch == "amd64" {
		return "22"
	}
	return "96"
}

// loads is the step after which the BPF programs stay loaded, as where sockade is in
// use: else every probe of the tests that follow would load them.
const loads = "load the programs"

// steps are what a guest runs: as root, and as nobody.
func (o options) steps(m machine) []job.Step {
	var steps []job.Step
	for _, user := range []struct {
		name, oneIn string
		uid         uint32
		backends    string // that have to work
	}{{"root", oneIn(m.Arch), 0, m.backends}, {"nobody", "397", nobody, strings.TrimSuffix(m.backends, ",bpflsm")}} {
		if o.run == "" && m.only == "" {
			steps = append(steps, job.Step{
				Name: "verify as " + user.name, UID: user.uid, Seconds: stepSeconds,
				Argv: []string{"/bin/sockade", "verify", "--json", "--backend", user.backends, "--one-in", user.oneIn},
			})
		}
		for _, p := range packages {
			if user.uid != 0 && (!p.asNobody || m.only != "") || m.only != "" && m.only != p.path {
				continue
			}
			if p.rules && m.rules == "" && o.image == "" {
				continue
			}
			if (p.outer || user.uid != 0) && !m.outer && o.run == "" {
				continue
			}
			s := job.Step{
				Name: p.path + " as " + user.name, Dir: path.Join(source, p.path), UID: user.uid, Seconds: stepSeconds,
				Argv: []string{"./test", "-test.v", fmt.Sprintf("-test.short=%v", !p.whole || !m.outer), "-test.run", o.run},
				Env:  []string{"SOCKADE_REQUIRE=" + user.backends, testutil.EnvPrograms + "=/programs", testutil.EnvGuest + "=1"},
			}
			skip := p.skip
			switch {
			case user.uid != 0:
				skip = p.skipNobody
			case m.only != "":
				skip = "TestMemory"
			}
			if m.rules != "" {
				s.Env[0] += ",landlock-sockets," + testkernel.Capability(m.rules)
			}
			if skip != "" {
				s.Argv = append(s.Argv, "-test.skip", skip)
			}
			steps = append(steps, s)
			if p.path == "backends/bpflsm/loader" && strings.Contains(user.backends, "bpflsm") {
				steps = append(steps, job.Step{Name: loads, Seconds: stepSeconds, Argv: []string{"/bin/sockade-bpf", "load"}})
			}
		}
	}
	return steps
}
