// SPDX-License-Identifier: Apache-2.0

// Command guard counts the instructions of a sandbox in a guest and fails where there
// are more than bench/budget.toml allows.
//
//	go run ./internal/guest/guard                    # Debian's 6.12
//	go run ./internal/guest/guard -image ./vmlinuz   # a kernel of your own
//
// It exits with 1 if anything is over its budget, and with 77 if there is nothing to
// count with.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/bench"
	"github.com/sockade/sockade/internal/guest"
	"github.com/sockade/sockade/internal/guest/job"
	"github.com/sockade/sockade/internal/testutil"
)

type options struct {
	kernel, image, cmdline, budget, require, json, from, args string
	libseccomp                                                bool
	timeout                                                   time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.kernel, "kernel", "6.12", "Debian's kernel of this `LINE`, for amd64")
	flag.StringVar(&o.image, "image", "", "a kernel image in `FILE` in place of Debian's")
	flag.StringVar(&o.cmdline, "cmdline", "lsm=landlock,lockdown,yama,bpf", "what the kernel is told")
	flag.StringVar(&o.budget, "budget", "", "budgets in `FILE` in place of bench/budget.toml")
	flag.StringVar(&o.require, "require", "seccomp,bpflsm", "`STATES` that have to be there")
	flag.StringVar(&o.json, "json", "", "write the report to `FILE`")
	flag.StringVar(&o.from, "from", "", "boot nothing: take the report that -json wrote to `FILE`")
	flag.StringVar(&o.args, "args", "", "more `FLAGS` for sockade-bench")
	flag.BoolVar(&o.libseccomp, "libseccomp", false, "build with libseccomp, to compare with: it takes its static library, and minutes")
	flag.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long the guest may run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM) // and QEMU ends
	over, err := o.run(ctx)
	stop()
	switch {
	case errors.Is(err, errNoGuest):
		os.Exit(77)
	case err != nil:
		fmt.Fprintln(os.Stderr, "guard:", err)
		os.Exit(1)
	case over:
		os.Exit(1)
	}
}

// errNoGuest says that nothing could be counted here, of which it has been told why.
var errNoGuest = errors.New("no guest")

// run boots the guest and tells whether anything is over its budget.
func (o options) run(ctx context.Context) (over bool, err error) {
	budgets, err := o.budgets()
	if err != nil {
		return false, err
	}
	report, err := o.report(ctx)
	if err != nil {
		return false, err
	}
	return judge(os.Stdout, report, budgets, strings.Split(o.require, ","))
}

// report counts in a guest, or reads what was counted before.
func (o options) report(ctx context.Context) (*bench.Report, error) {
	if o.from != "" {
		text, err := os.ReadFile(o.from)
		if err != nil {
			return nil, err
		}
		r := &bench.Report{}
		return r, json.Unmarshal(text, r)
	}
	kernel, err := o.fetch(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "sockade-guard-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	files, err := o.build(ctx, dir)
	if err != nil {
		return nil, err
	}
	report, err := o.boot(ctx, kernel, files)
	if err != nil || o.json == "" {
		return report, err
	}
	text, err := json.Marshal(report)
	if err != nil {
		return nil, err
	}
	return report, os.WriteFile(o.json, text, 0o644)
}

func (o options) budgets() ([]bench.Budget, error) {
	if o.budget == "" {
		return bench.Budgets()
	}
	f, err := os.Open(o.budget)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bench.ParseBudgets(f)
}

// fetch returns the kernel. What cannot be had here is one line and errNoGuest.
func (o options) fetch(ctx context.Context) (string, error) {
	skip := func(what, why, fix string) error {
		line, err := testutil.Skip(what, why, fix)
		fmt.Println(line)
		return errors.Join(errNoGuest, err)
	}
	if program, missing, fix := guest.QEMU("amd64"); missing != "" {
		return "", skip("instruction counts", program+" is "+missing, fix)
	}
	if o.image != "" {
		return o.image, nil
	}
	i := slices.IndexFunc(guest.Kernels, func(k guest.Kernel) bool { return k.Line == o.kernel && k.Arch == "amd64" })
	if i < 0 {
		return "", fmt.Errorf("-kernel %s: no such kernel; there are %v", o.kernel, guest.Kernels)
	}
	cache, err := guest.CacheDir()
	if err != nil {
		return "", err
	}
	image, err := guest.Kernels[i].Fetch(ctx, cache)
	if errors.Is(err, guest.ErrMissing) {
		return "", skip("instruction counts", err.Error(), "give a kernel with -image")
	}
	return image, err
}

// build makes the static programs of the guest. It runs in the module.
func (o options) build(ctx context.Context, dir string) (guest.Files, error) {
	const module = "github.com/sockade/sockade/"
	files := guest.Files{}
	for target, pkg := range map[string]string{"/init": "internal/guest/init", "/bin/sockade-bench": "cmd/sockade-bench"} {
		out := filepath.Join(dir, filepath.Base(pkg))
		args := []string{"build", "-trimpath", "-o", out}
		env := []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64"}
		if o.libseccomp && target != "/init" {
			args = append(args, "-tags", "libseccomp,osusergo,netgo", "-ldflags", "-s -w -linkmode external -extldflags -static")
			env[0] = "CGO_ENABLED=1"
		}
		cmd := exec.CommandContext(ctx, "go", append(args, module+pkg)...)
		cmd.Env = append(os.Environ(), env...)
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go %v: %w: %s", cmd.Args[1:], err, text)
		}
		files[target] = out
	}
	return files, nil
}

func (o options) boot(ctx context.Context, kernel string, files guest.Files) (*bench.Report, error) {
	m := guest.Machine{Arch: "amd64", Kernel: kernel, Cmdline: o.cmdline, Instructions: true, Timeout: o.timeout}
	argv := append([]string{"/bin/sockade-bench", "--guest", "--json", "-"}, strings.Fields(o.args)...)
	step := job.Step{Name: "sockade-bench", Argv: argv, Seconds: int(o.timeout.Seconds())}
	var report *bench.Report
	var failed error
	err := guest.Boot(ctx, m, files, []job.Step{step}, func(r job.Result) {
		report = &bench.Report{}
		if failed = json.Unmarshal(r.Stdout, report); failed != nil || r.Status != 0 {
			failed = fmt.Errorf("sockade-bench in the guest: status %d %s: %s", r.Status, r.Error, guest.LastLines(string(r.Stderr), 5))
		}
	})
	return report, errors.Join(err, failed)
}

// judge prints what was spent of each budget and tells whether any is over.
func judge(out io.Writer, r *bench.Report, budgets []bench.Budget, required []string) (over bool, err error) {
	spent, absent, err := bench.Check(r, budgets)
	if err != nil {
		return false, err
	}
	for _, m := range absent {
		if slices.Contains(required, m.State) {
			return false, fmt.Errorf("the state %s has to be there: %s", m.State, m.Reason)
		}
		line, err := testutil.Skip("budget of "+m.State, m.Reason, "see sockade probe in the guest")
		fmt.Fprintln(out, line)
		if err != nil {
			return false, err
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	last := ""
	for _, s := range spent {
		if s.Budget != last {
			fmt.Fprintf(w, "%s:\n", s.Budget)
			last = s.Budget
		}
		verdict := ""
		switch {
		case s.Over:
			verdict, over = "OVER", true
		case s.Goal != "":
			verdict = "misses its goal of " + s.Goal
		}
		fmt.Fprintf(w, "  %s\tto %s\t%s of %s\t%s\n", s.Figure, s.To, s.Value, s.Limit, verdict)
	}
	if err := w.Flush(); err != nil {
		return false, err
	}
	fmt.Fprintf(out, "kernel %s: %d figures held to %d budgets\n", r.Environment.Kernel, len(spent), len(budgets))
	return over, nil
}
