// SPDX-License-Identifier: Apache-2.0

// Command guests runs the tests on other kernels and prints one table.
//
//	go run ./internal/guest/guests                          # all of them
//	go run ./internal/guest/guests -kernel 5.10 -run TestBypass
//	go run ./internal/guest/guests -image ./vmlinuz         # a kernel of your own
//
// It exits with 1 if anything failed, and with 77 if there is nothing to run it with.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/sockade/sockade/internal/guest"
	"github.com/sockade/sockade/internal/guest/testkernel"
	"github.com/sockade/sockade/internal/testutil"
)

func main() {
	var o options
	flag.StringVar(&o.kernel, "kernel", "", "only kernels whose name has `TEXT` in it, such as 7.3 or arm64")
	flag.StringVar(&o.image, "image", "", "a kernel image in `FILE` in place of Debian's")
	flag.StringVar(&o.arch, "arch", "amd64", "the architecture of -image: `GOARCH`")
	flag.StringVar(&o.run, "run", "", "only tests that match `REGEXP`, as for go test, and no verify")
	flag.IntVar(&o.jobs, "jobs", max(1, runtime.NumCPU()), "run `N` guests at once")
	flag.StringVar(&o.cache, "cache", "", "keep kernels in `DIR` (default sockade-guests in the user's cache directory)")
	flag.BoolVar(&o.verbose, "v", false, "print what the tests print")
	flag.Parse()
	failed, err := o.all(context.Background())
	switch {
	case errors.Is(err, errNoGuest):
		os.Exit(statusSkipped)
	case err != nil:
		fmt.Fprintln(os.Stderr, "guests:", err)
		os.Exit(1)
	case failed:
		os.Exit(1)
	}
}

// statusSkipped says that nothing could be run here, as it does to automake.
const statusSkipped = 77

// errNoGuest is a run without any guest, of which each has been told why.
var errNoGuest = errors.New("no guest")

type options struct {
	kernel, image, arch, run, cache string
	jobs                            int
	verbose                         bool
}

// all boots every kernel and tells whether anything failed.
func (o options) all(ctx context.Context) (failed bool, err error) {
	if o.cache == "" {
		if o.cache, err = guest.CacheDir(); err != nil {
			return false, err
		}
	}
	if o.cache, err = filepath.Abs(o.cache); err != nil {
		return false, err
	}
	machines, err := o.machines(ctx)
	if err == nil && len(machines) == 0 {
		err = errNoGuest
	}
	if err != nil {
		return false, err
	}
	tools, err := os.MkdirTemp("", "sockade-guests-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(tools) }()
	files := map[string]guest.Files{}
	for _, m := range machines {
		if files[m.Arch] == nil {
			if files[m.Arch], err = build(ctx, o.cache, filepath.Join(tools, m.Arch), m.Arch); err != nil {
				return false, err
			}
		}
	}
	rows := make([]row, len(machines))
	slots := make(chan struct{}, o.jobs)
	var wg sync.WaitGroup
	for _, slow := range []bool{true, false} { // what takes longest first, else all wait for it
		for i, m := range machines {
			if (m.Arch != "amd64") != slow {
				continue
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				rows[i] = o.boot(ctx, m, files[m.Arch])
			})
		}
	}
	wg.Wait()
	failed = printRows(rows)
	if !slices.ContainsFunc(rows, func(r row) bool { return r.ran() > 0 }) {
		return true, fmt.Errorf("nothing was run: -run %s matches no test", o.run)
	}
	return failed, nil
}

// machine is a guest with a name for the table.
type machine struct {
	guest.Machine
	name string
	// backends are those that have to work for root.
	backends string
	// only is the one package whose tests are run; empty for all.
	only string
	// outer is the oldest and the newest kernel: what hardly depends on the kernel
	// is tested on these.
	outer bool
	// rules is the dialect of Landlock's socket rules that the kernel has; empty for none.
	rules string
}

// modules are security modules with which all backends work. Debian's list has them but for bpf.
const modules = "lsm=landlock,lockdown,yama,bpf"

// without are command lines that take away what backends and tests build on. What is
// left of them is tested on the oldest and on the newest kernel. The oldest one takes
// no notice of ia32_emulation, which is from Linux 6.7.
var without = []string{"lsm=capability ia32_emulation=0", "lsm=lockdown lockdown=integrity"}

// machines fetches the kernels. What cannot be had here is one line and no error.
func (o options) machines(ctx context.Context) ([]machine, error) {
	if o.image != "" {
		return []machine{{Machine: guest.Machine{Arch: o.arch, Kernel: o.image, Cmdline: modules}, name: filepath.Base(o.image), outer: true, backends: "seccomp"}}, nil
	}
	if err := os.MkdirAll(o.cache, 0o755); err != nil {
		return nil, err
	}
	var out []machine
	known := false
	for _, k := range guest.Kernels {
		if !strings.Contains(k.String(), o.kernel) {
			continue
		}
		known = true
		if program, missing, fix := guest.QEMU(k.Arch); missing != "" {
			skip("kernel "+k.String(), program+" is "+missing, fix)
			continue
		}
		fmt.Fprintln(os.Stderr, "fetch", k)
		image, err := k.Fetch(ctx, o.cache)
		switch {
		case errors.Is(err, guest.ErrMissing):
			skip("kernel "+k.String(), err.Error(), "give a kernel with -image")
		case err != nil:
			return nil, fmt.Errorf("kernel %s: %w", k, err)
		default:
			m := machine{
				Machine: guest.Machine{Arch: k.Arch, Kernel: image, Cmdline: modules},
				name:    k.String(), outer: k == guest.Kernels[0] || k == guest.Newest, backends: "seccomp,bpflsm",
			}
			if k.HasPorts() {
				m.backends = "landlock," + m.backends
			}
			out = append(out, m)
			if m.outer {
				for _, m.Cmdline = range without {
					m.name, m.only, m.backends = k.String()+" "+m.Cmdline, "internal/faults", "seccomp"
					out = append(out, m)
				}
			}
		}
	}
	var dialects, names []string
	for _, dialect := range testkernel.Dialects {
		names = append(names, testName(dialect))
		if strings.Contains(testName(dialect), o.kernel) {
			dialects = append(dialects, dialect)
		}
	}
	if !known && dialects == nil {
		return nil, fmt.Errorf("-kernel %s: no such kernel; there are %v and %v", o.kernel, guest.Kernels, names)
	}
	tests, err := testMachines(ctx, o.cache, dialects)
	return append(out, tests...), err
}

func testName(dialect string) string {
	return testkernel.Base + " amd64 socket rules (" + dialect + ")"
}

// testMachines builds the kernels with Landlock's socket rules. A warning of theirs ends
// the guest.
func testMachines(ctx context.Context, cache string, dialects []string) ([]machine, error) {
	if dialects == nil {
		return nil, nil
	}
	program, missing, fix := guest.QEMU("amd64")
	if missing != "" {
		skip("kernels with socket rules", program+" is "+missing, fix)
		return nil, nil
	}
	fmt.Fprintln(os.Stderr, "build", testkernel.Base, "amd64 with socket rules")
	images, err := testkernel.Build(ctx, cache)
	if errors.Is(err, guest.ErrMissing) {
		skip("kernels with socket rules", err.Error(), "make install, as root on a Debian with network")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []machine
	for _, dialect := range dialects {
		out = append(out, machine{
			Machine: guest.Machine{Arch: "amd64", Kernel: images[dialect], Cmdline: modules + " panic_on_warn=1"},
			name:    testName(dialect), backends: "landlock,seccomp,bpflsm", rules: dialect,
		})
	}
	return out, nil
}

func skip(what, why, fix string) {
	line, err := testutil.Skip(what, why, fix)
	fmt.Println(line)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guests: record a skip:", err)
	}
}
