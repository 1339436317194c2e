// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/sockade/sockade/bench"
)

// colors are readable on white and on black.
var colors = map[string]color.RGBA{
	bench.Seccomp:       {0x3b, 0x82, 0xf6, 0xff},
	bench.Libseccomp:    {0xf5, 0x9e, 0x0b, 0xff},
	bench.Landlock:      {0x10, 0xb9, 0x81, 0xff},
	bench.LandlockPorts: {0x14, 0xb8, 0xa6, 0xff},
	bench.BPFLSM:        {0xa8, 0x55, 0xf7, 0xff},
	bench.BPFElse:       {0xec, 0x48, 0x99, 0xff},
	"firejail":          {0xef, 0x44, 0x44, 0xff},
	"systemd":           {0x84, 0xcc, 0x16, 0xff},
	bench.None:          {0x6b, 0x72, 0x80, 0xff},
}

func colorOf(state string) color.RGBA {
	if c, ok := colors[state]; ok {
		return c
	}
	return color.RGBA{0x9c, 0xa3, 0xaf, 0xff}
}

// ink and faint are replaced by what the page has: see drawn.
var (
	ink   = color.RGBA{0x01, 0x02, 0x03, 0xff}
	faint = color.RGBA{0x04, 0x05, 0x06, 0xff}
)

// newPlot returns one without a frame, with the texts of the page.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Tick.Color, axis.Tick.Label.Color, axis.Label.TextStyle.Color = faint, faint, ink, ink
		axis.Tick.Label.Font.Size, axis.Label.TextStyle.Font.Size = font.Points(10), font.Points(10)
		axis.Width, axis.Tick.Width = vg.Points(0.7), vg.Points(0.7)
	}
	return p
}

// drawn returns the plot as SVG that takes its colors and its font from the page, with
// the names of the states above.
func drawn(p *plot.Plot, width, height vg.Length, states []string) (string, error) {
	c := vgsvg.New(width, height)
	p.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("draw chart: %w", err)
	}
	_, inner, _ := strings.Cut(b.String(), "<g")
	inner, _, _ = strings.Cut(inner, "</svg>")
	inner = strings.NewReplacer("#010203", "currentColor", "#040506", "currentColor", ";stroke-opacity:1", "").Replace(inner)
	names, top := legend(states, int(width))
	const left = 24 // a word may be wider in the font of the page
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="%d 0 %d %d" font-family="system-ui, sans-serif">%s<g transform="translate(0 %d)"><g%s</g></svg>`,
		-left, int(width)+left, int(height)+top, names, top, inner), nil
}

// alignRight has words end where they would in the font that they were measured in: the
// page has another one.
func alignRight(svg string, words []string, style draw.TextStyle) string {
	for _, word := range words {
		text := regexp.MustCompile(`<text x="([0-9.]+)"([^>]*)>` + regexp.QuoteMeta(word) + `</text>`)
		svg = text.ReplaceAllStringFunc(svg, func(found string) string {
			parts := text.FindStringSubmatch(found)
			x, _ := strconv.ParseFloat(parts[1], 64) // it matched
			return fmt.Sprintf(`<text x="%.1f" text-anchor="end"%s>%s</text>`, x+style.Width(word).Points(), parts[2], word)
		})
	}
	return svg
}

// legend returns the names of the states with their colors, and how high that is.
func legend(states []string, width int) (svg string, height int) {
	var b strings.Builder
	const line = 18
	x, y := 8, line-6
	for _, s := range states {
		wide := 26 + 6*len(s)
		if x+wide > width {
			x, y = 8, y+line
		}
		c := colorOf(s)
		fmt.Fprintf(&b, `<circle cx="%d" cy="%d" r="4" fill="#%02x%02x%02x"/><text x="%d" y="%d" font-size="11" fill="currentColor">%s</text>`, x, y-4, c.R, c.G, c.B, x+8, y, s)
		x += wide
	}
	return b.String(), y + 8
}

// steps are a few ticks at round numbers.
type steps struct{}

// Ticks implements [plot.Ticker].
func (steps) Ticks(low, high float64) (ticks []plot.Tick) {
	const most = 8
	step := math.Pow(10, math.Floor(math.Log10((high-low)/most)))
	for _, times := range []float64{2, 2.5, 2} { // 1, 2, 5, 10 of it
		if (high-low)/step <= most {
			break
		}
		step *= times
	}
	for n := math.Ceil(low / step); n*step <= high; n++ {
		ticks = append(ticks, plot.Tick{Value: n * step, Label: strconv.FormatFloat(math.Round(n*step*1000)/1000, 'f', -1, 64)})
	}
	return ticks
}

// point is one row of a chart of intervals.
type point struct {
	row   string
	state string
	value bench.Interval
	seen  bool // a difference
}

// intervals draws for each row a dot with its interval for each state, and a line where
// there is no difference.
func intervals(points []point, label string) (string, error) {
	var rows, states []string
	for _, p := range points {
		if !slices.Contains(rows, p.row) {
			rows = append(rows, p.row)
		}
		if !slices.Contains(states, p.state) {
			states = append(states, p.state)
		}
	}
	p := newPlot()
	p.X.Label.Text = label
	slices.Reverse(rows)
	p.NominalY(rows...)
	p.Y.Width, p.Y.Tick.Width = 0, 0
	p.Y.Tick.Label.Color = ink
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.NRGBA{0x80, 0x80, 0x80, 0x48}, color.NRGBA{0x80, 0x80, 0x80, 0x28}
	p.Add(grid)
	low, high := 1.0, 1.0
	for i, state := range states {
		offset := 0.0
		if len(states) > 1 {
			offset = 0.32 - 0.64*float64(i)/float64(len(states)-1)
		}
		var data intervalData
		for _, pt := range points {
			if pt.state == state {
				data = append(data, at{float64(slices.Index(rows, pt.row)) + offset, pt.value})
				low, high = min(low, pt.value.Low), max(high, pt.value.High)
			}
		}
		bars, err := plotter.NewXErrorBars(data)
		if err != nil {
			return "", fmt.Errorf("draw chart: %w", err)
		}
		bars.Color, bars.Width, bars.CapWidth = colorOf(state), vg.Points(1.6), vg.Points(5)
		dots, err := plotter.NewScatter(data)
		if err != nil {
			return "", fmt.Errorf("draw chart: %w", err)
		}
		dots.Shape, dots.Color, dots.Radius = draw.CircleGlyph{}, colorOf(state), vg.Points(3.2)
		p.Add(bars, dots)
	}
	one, err := plotter.NewLine(plotter.XYs{{X: 1, Y: -0.5}, {X: 1, Y: float64(len(rows)) - 0.5}})
	if err != nil {
		return "", fmt.Errorf("draw chart: %w", err)
	}
	one.Color, one.Width, one.Dashes = faint, vg.Points(1), []vg.Length{vg.Points(3), vg.Points(3)}
	p.Add(one)
	p.X.Min, p.X.Max = low-0.03*(high-low), high+0.03*(high-low)
	if high == low {
		p.X.Min, p.X.Max = 0.9, 1.1
	}
	p.Y.Min, p.Y.Max = -0.5, float64(len(rows))-0.5
	p.X.Tick.Marker = steps{}
	svg, err := drawn(p, 760, vg.Length(60+(14+8*len(states))*len(rows)), states)
	return alignRight(svg, rows, p.Y.Tick.Label), err
}

type at struct {
	y     float64
	value bench.Interval
}

type intervalData []at

func (d intervalData) Len() int                    { return len(d) }
func (d intervalData) XY(i int) (float64, float64) { return d[i].value.Median, d[i].y }
func (d intervalData) XError(i int) (float64, float64) {
	return d[i].value.Low - d[i].value.Median, d[i].value.High - d[i].value.Median
}

// lines draws what a scenario costs against the number of rules, or of sandboxes in one
// another, with a line for each state.
func lines(figures []bench.Figure, count func(bench.Variant) int, xLabel, yLabel string) (string, error) {
	byState := map[string]plotter.XYs{}
	var states []string
	var ticks []plot.Tick
	high := 0.0
	for _, f := range figures {
		x := count(f.Variant)
		if byState[f.State] == nil {
			states = append(states, f.State)
		}
		byState[f.State] = append(byState[f.State], plotter.XY{X: math.Log2(float64(x)), Y: f.NS.Median})
		high = max(high, f.NS.Median)
		if !slices.ContainsFunc(ticks, func(t plot.Tick) bool { return t.Label == strconv.Itoa(x) }) {
			ticks = append(ticks, plot.Tick{Value: math.Log2(float64(x)), Label: strconv.Itoa(x)})
		}
	}
	p := newPlot()
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(ticks), steps{}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = nil, color.NRGBA{0x80, 0x80, 0x80, 0x48}
	p.Add(grid)
	for _, state := range states {
		line, dots, err := plotter.NewLinePoints(byState[state])
		if err != nil {
			return "", fmt.Errorf("draw chart: %w", err)
		}
		line.Color, line.Width = colorOf(state), vg.Points(1.8)
		dots.Shape, dots.Color, dots.Radius = draw.CircleGlyph{}, colorOf(state), vg.Points(2.8)
		if strings.HasPrefix(state, "floor") {
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		p.Add(line, dots)
	}
	p.Y.Min, p.Y.Max = 0, 1.1*high
	p.X.Max += 0.25 // room for the last number
	return drawn(p, 480, 250, states)
}

// headline are the ratios of all backends to no sandbox.
func headline(r *bench.Report) []point {
	return ratios(r, func(f bench.Figure) *bench.Comparison { return f.None })
}

// ratios are the figures with the usual number of rules, compared by one of two ways.
func ratios(r *bench.Report, to func(bench.Figure) *bench.Comparison) []point {
	var points []point
	for _, s := range r.Scenarios {
		for _, f := range r.Figures {
			usual := f.Rules == 0 && f.State != bench.None || f.Rules == bench.RuleCounts[1]
			if c := to(f); f.Scenario == s.Name && usual && f.Depth <= 1 && c != nil && !strings.HasPrefix(f.State, "floor") {
				points = append(points, point{s.Name, f.State, c.Ratio, c.Differs()})
			}
		}
	}
	return points
}

// writeHeadline writes the chart of overheads as a file of its own, which takes part in
// the dark mode of whoever shows it.
func writeHeadline(w io.Writer, r *bench.Report) error {
	svg, err := intervals(headline(r), unit(r)+", as a multiple of those without a sandbox")
	if err != nil {
		return err
	}
	const style = `<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>`
	at := strings.Index(svg, ">") + 1
	_, err = fmt.Fprintf(w, "%s\n<!-- SPDX-License-Identifier: Apache-2.0 -->\n%s%s", svg[:at], style, svg[at:])
	return err
}
