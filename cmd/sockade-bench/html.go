// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"

	"github.com/sockade/sockade/bench"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"compared": compared,
	"number":   func(v float64) string { return fmt.Sprintf("%.*f", digits(v), v) },
	"micro":    func(v float64) string { return fmt.Sprintf("%.0f", v/1e3) },
	"seen":     func(c *bench.Comparison) bool { return c != nil && c.Differs() },
	"div":      func(a, b float64) float64 { return a / b },
}).Parse(pageText))

// chart is a drawing with what it says.
type chart struct {
	Title, Text string
	SVG         template.HTML
}

// section is a scenario with its figures.
type section struct {
	bench.Scenario
	Figures []bench.Figure
}

// writeHTML writes one page that needs nothing else.
func writeHTML(w io.Writer, r *bench.Report) error {
	data := struct {
		*bench.Report
		Unit              string
		Claims            []claim
		Overhead, ToFloor *chart
		Rules, Depth      []chart
		Sections          []section
	}{Report: r, Unit: unit(r), Claims: claims(r)}
	var err error
	if data.Overhead, err = drawRatios(headline(r), "as a multiple of no sandbox", r); err != nil {
		return err
	}
	if data.ToFloor, err = drawRatios(ratios(r, func(f bench.Figure) *bench.Comparison { return f.Floor }), "as a multiple of the floor", r); err != nil {
		return err
	}
	if data.Rules, err = drawSweeps(r, "rules", func(v bench.Variant) int { return v.Rules }, func(v bench.Variant) bool { return v.Depth <= 1 && v.Rules > 0 }); err != nil {
		return err
	}
	if data.Depth, err = drawSweeps(r, "sandboxes in one another", func(v bench.Variant) int { return v.Depth }, func(v bench.Variant) bool { return v.Depth > 0 && (v.Rules == 0 || v.Rules == bench.RuleCounts[1]) }); err != nil {
		return err
	}
	for _, s := range r.Scenarios {
		in := section{Scenario: s}
		for _, f := range r.Figures {
			if f.Scenario == s.Name {
				in.Figures = append(in.Figures, f)
			}
		}
		if len(in.Figures) > 0 {
			data.Sections = append(data.Sections, in)
		}
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("make page: %w", err)
	}
	return nil
}

func drawRatios(points []point, label string, r *bench.Report) (*chart, error) {
	if len(points) == 0 {
		return nil, nil
	}
	svg, err := intervals(points, unit(r)+" "+label)
	return &chart{SVG: template.HTML(svg)}, err // made here, of names that are ours
}

// drawSweeps draws the scenarios that were measured at several of what count counts.
func drawSweeps(r *bench.Report, label string, count func(bench.Variant) int, in func(bench.Variant) bool) ([]chart, error) {
	var out []chart
	for _, s := range r.Scenarios {
		var figures []bench.Figure
		counts := map[int]bool{}
		for _, f := range r.Figures {
			if f.Scenario == s.Name && in(f.Variant) {
				figures = append(figures, f)
				counts[count(f.Variant)] = true
			}
		}
		figures = slices.DeleteFunc(figures, func(f bench.Figure) bool { // one point is no line
			return !slices.ContainsFunc(figures, func(g bench.Figure) bool { return g.State == f.State && count(g.Variant) != count(f.Variant) })
		})
		if len(figures) == 0 {
			continue
		}
		svg, err := lines(figures, count, label, unit(r))
		if err != nil {
			return nil, err
		}
		out = append(out, chart{Title: s.Name, Text: s.What, SVG: template.HTML(svg)})
	}
	return out, nil
}

// claim is one of the figures at the top of the page.
type claim struct{ Value, Text string }

// claims are what a reader wants to know first: what a socket, and a call that has
// nothing to do with sockets, costs with each backend.
func claims(r *bench.Report) []claim {
	var out []claim
	for _, of := range []struct{ scenario, text string }{
		{"socket-unix", "an allowed socket() and close()"},
		{"getppid", "a call that is no business of the sandbox"},
	} {
		for _, state := range []string{bench.Seccomp, bench.Landlock, bench.BPFLSM} {
			f := r.Find(of.scenario, bench.Variant{State: state, Rules: bench.RuleCounts[1], Depth: 1})
			if f == nil || f.None == nil {
				continue
			}
			value := "±0"
			if f.None.Differs() {
				value = fmt.Sprintf("%+.1f %%", 100*(f.None.Ratio.Median-1))
			}
			out = append(out, claim{value, fmt.Sprintf("%s, by %s", of.text, state)})
		}
	}
	return out
}
