// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
)

// output gathers what a command prints, so that it is written at once and a
// full disk or a closed pipe is an error.
type output struct {
	bytes.Buffer
	colour bool
}

// newOutput looks at where the output will go: colour is for people only.
func newOutput(s streams) *output {
	return &output{colour: onTerminal(s.out) && colourWanted()}
}

func (o *output) flush(s streams) error { return print(s, o.String()) }

// colourWanted follows no-color.org.
func colourWanted() bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func onTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}

// Every code has the same length, so that a column that is painted throughout
// stays aligned by tabwriter, which counts the codes.
func (o *output) bold(text string) string  { return o.paint("01", text) }
func (o *output) green(text string) string { return o.paint("32", text) }
func (o *output) red(text string) string   { return o.paint("31", text) }

func (o *output) paint(code, text string) string {
	if !o.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// json adds a value as indented JSON with what it says left as it is: "<" in a
// reason stays "<".
func (o *output) json(value any) error {
	e := json.NewEncoder(o)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(value)
}
