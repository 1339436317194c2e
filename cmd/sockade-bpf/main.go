// SPDX-License-Identifier: Apache-2.0

// Command sockade-bpf loads and unloads the BPF programs of the backend bpflsm. It is
// what "sockade bpf" runs, and "sockade run" where they are not loaded yet.
//
//	sockade-bpf load | probe | status [--json] | unload [--force]
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/backends/bpflsm/loader"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", bpflsm.Helper, err)
		os.Exit(125)
	}
}

const usage = "give one of load, probe, status [--json], unload [--force]: see sockade bpf --help"

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("no command: " + usage)
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "print JSON")
	force := flags.Bool("force", false, "unload although there are sandboxes")
	if err := flags.Parse(args[1:]); err != nil || flags.NArg() > 0 {
		return fmt.Errorf("%s: unknown argument: %s", args[0], usage)
	}
	if os.Getuid() != 0 {
		return errors.New("it takes root: run it as root")
	}
	switch args[0] {
	case "load":
		return loader.Load()
	case "probe":
		return loader.Probe()
	case "unload":
		return loader.Unload(*force)
	case "status":
		loaded, err := loader.All()
		if err != nil {
			return err
		}
		return print(out, loaded, *asJSON)
	}
	return fmt.Errorf("unknown command %q: %s", args[0], usage)
}

func print(out io.Writer, loaded []loader.Status, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(loaded)
	}
	if len(loaded) == 0 {
		_, err := fmt.Fprintln(out, "nothing is loaded")
		return err
	}
	if loader.SwitchedOff() {
		fmt.Fprintln(out, "NOT ENFORCED: kernel.ftrace_enabled=0 keeps the kernel from running the programs: sysctl kernel.ftrace_enabled=1")
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range loaded {
		note := ""
		if !s.Current {
			note = ", of another sockade"
		}
		fmt.Fprintf(w, "version %s%s: %d programs, %d sandboxes, %d tasks\n", s.Version, note, len(s.Programs), len(s.Domains), s.Tasks)
		if len(s.Domains) > 0 {
			fmt.Fprintln(w, "SANDBOX\tWITHIN\tTASKS\tDENIALS")
		}
		for _, d := range s.Domains {
			around := d.Around
			if around == "" {
				around = "-"
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", d.ID, around, d.Tasks, d.Denials)
		}
	}
	return w.Flush()
}
