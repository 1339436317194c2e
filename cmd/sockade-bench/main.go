// SPDX-License-Identifier: Apache-2.0

// Command sockade-bench measures what a sandbox costs here, next to none and next to
// the least that each mechanism can cost. It is what "sockade bench" runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/bench"
)

const about = `Sockade-bench measures what a sandbox costs on this machine: each state in a process of
its own on one CPU, in turns, compared with no sandbox and with the least that the
mechanism can cost (the floor). Ratios are medians with their 95 % interval. As root it
loads the BPF programs of the backend bpflsm for a moment and takes them away again.

Usage:
  sockade-bench [flags]

Examples:
  sockade bench --quick --html report.html
  sockade bench --scenario socket-unix,getppid --state seccomp
  sockade bench --full --go-bench new.txt && benchstat old.txt new.txt
  sockade-bench --from report.json --html report.html

Flags:
`

// statusFailed is that of sockade: nothing was measured, or not all.
const statusFailed = 125

func main() {
	bench.Main() // a child of a run does not come back
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "sockade-bench: %v\n", err)
		os.Exit(statusFailed)
	}
}

type options struct {
	quick, full, guest, list       bool
	json, html, goBench, svg, from string
	scenarios, states              string
	cpu                            int
	seed                           uint64
}

func run(ctx context.Context, args []string, out, errs io.Writer) error {
	var o options
	flags := flag.NewFlagSet("sockade-bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.quick, "quick", false, "measure for less than a minute")
	flags.BoolVar(&o.full, "full", false, "measure for an hour, each number of rules at each depth")
	flags.BoolVar(&o.guest, "guest", false, "measure as in a guest that counts instructions: the fewest samples")
	flags.BoolVar(&o.list, "list", false, "list scenarios and states, and measure nothing")
	flags.StringVar(&o.json, "json", "", "write all that was measured as JSON to `FILE`, - for standard output")
	flags.StringVar(&o.html, "html", "", "write a page with charts to `FILE`")
	flags.StringVar(&o.svg, "svg", "", "write the chart of overheads to `FILE`")
	flags.StringVar(&o.goBench, "go-bench", "", "write the samples for benchstat to `FILE`, - for standard output")
	flags.StringVar(&o.from, "from", "", "measure nothing: take the JSON of a run from `FILE`")
	flags.StringVar(&o.scenarios, "scenario", "", "measure these `NAMES` only, separated by commas")
	flags.StringVar(&o.states, "state", "", "measure these `NAMES` only, and what they are compared with")
	flags.IntVar(&o.cpu, "cpu", -1, "measure on CPU `N` (default the last one)")
	flags.Uint64Var(&o.seed, "seed", uint64(rand.Uint32()), "`N` that the order of turns follows from (default random)")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(out, about)
		describe(out, flags)
		return err
	case err != nil:
		return fmt.Errorf("%w: see sockade-bench --help", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unknown argument %q: it takes flags only: see sockade-bench --help", flags.Arg(0))
	case o.quick && o.full || o.quick && o.guest || o.full && o.guest:
		return errors.New("--quick, --full and --guest exclude each other: give one of them")
	case o.list:
		return list(out)
	}
	report, err := o.measure(ctx, errs)
	if err != nil {
		return err
	}
	return o.write(report, out)
}

// describe writes the flags as sockade does.
func describe(out io.Writer, flags *flag.FlagSet) {
	flags.VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(out, "  %-20s %s\n", strings.TrimSpace("--"+f.Name+" "+value), usage)
	})
}

func list(out io.Writer) error {
	fmt.Fprintln(out, "Scenarios:")
	for _, s := range bench.Scenarios() {
		fmt.Fprintf(out, "  %-18s %s\n", s.Name, s.What)
	}
	for _, e := range bench.Extras() {
		fmt.Fprintf(out, "  %-18s %s\n", e.Name, e.What)
	}
	fmt.Fprintln(out, "\nStates:")
	for _, s := range bench.States() {
		fmt.Fprintf(out, "  %-18s %s\n", s.Name, s.What)
	}
	return nil
}

func (o options) measure(ctx context.Context, errs io.Writer) (*bench.Report, error) {
	if o.from != "" {
		return read(o.from)
	}
	b := bench.Options{Scenarios: words(o.scenarios), States: words(o.states), CPU: o.cpu + 1, Seed: o.seed}
	switch {
	case o.quick:
		b.Size = bench.Quick
	case o.full:
		b.Size = bench.Full
	case o.guest:
		b.Size = bench.Guest
	}
	bar := newBar(errs)
	b.Progress = bar.tell
	defer bar.end()
	return bench.Run(ctx, b)
}

func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
