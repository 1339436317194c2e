// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/sockade/sockade/bench"
)

// writeText prints a table for each scenario.
func writeText(out io.Writer, r *bench.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range r.Scenarios {
		first := true
		for _, f := range r.Figures {
			if f.Scenario != s.Name {
				continue
			}
			if first {
				fmt.Fprintf(w, "\n%s: %s\n  STATE\t%s\tTO NONE\tTO FLOOR\n", s.Name, s.What, strings.ToUpper(unit(r)))
				first = false
			}
			fmt.Fprintf(w, "  %s\t%.*f\t%s\t%s\n", f.Variant, digits(f.NS.Median), f.NS.Median, compared(f.None), compared(f.Floor))
		}
	}
	if len(r.Applied) > 0 {
		fmt.Fprintf(w, "\nto restrict a process, once, in microseconds\n  STATE\tPROBE\tPLAN\tALL OF IT\tHEAP KiB\n")
		for _, a := range r.Applied {
			fmt.Fprintf(w, "  %s\t%.0f\t%.0f\t%.0f\t%.0f\n", a.Variant, a.Inquire.Median/1e3, a.Plan.Median/1e3, a.Restrict.Median/1e3, a.Heap.Median/1024)
		}
	}
	if len(r.Starts) > 0 {
		fmt.Fprintf(w, "\nto start a command\n  COMMAND\tMS\tTO THE FIRST\n")
		for _, s := range r.Starts {
			fmt.Fprintf(w, "  %s\t%.2f\t%s\n", s.Command, s.MS.Median, compared(s.Against))
		}
	}
	if len(r.Loads) > 0 {
		fmt.Fprintf(w, "\na server under load\n  SERVER\tSTATE\tREQUESTS/S\tP99 us\tSLOWER BY\tP99 TO NONE\n")
		for _, l := range r.Loads {
			fmt.Fprintf(w, "  %s\t%s\t%.0f\t%.0f\t%s\t%s\n", l.Server, l.State, l.PerSecond.Median, l.P99.Median, compared(l.Throughput), compared(l.Latency))
		}
	}
	fmt.Fprintln(w)
	for _, m := range r.Unavailable {
		fmt.Fprintf(w, "not measured: %s: %s\n", m.State, m.Reason)
	}
	for _, m := range r.Skipped {
		fmt.Fprintf(w, "not measured: %s: %s\n", strings.TrimSpace(m.Scenario+" "+m.State), m.Reason)
	}
	for _, note := range r.Environment.Notes {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	e := r.Environment
	fmt.Fprintf(w, "kernel %s, %s, CPU %d of %d, %s, seed %d, %d rounds, %.0f s\n", e.Kernel, e.CPU, r.CPU, e.CPUs, e.Virtualisation, r.Seed, r.Rounds, r.Seconds)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return nil
}

func compared(c *bench.Comparison) string {
	if c == nil {
		return ""
	}
	return c.String()
}

// unit is what the clock of the machine counts.
func unit(r *bench.Report) string {
	if r.Instructions() {
		return "instructions"
	}
	return "ns"
}

func digits(v float64) int {
	if v < 1000 {
		return 1
	}
	return 0
}
