// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/sockade/sockade/bench"
)

func read(path string) (*bench.Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	r := &bench.Report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read report %s: %w: it is not what --json wrote", path, err)
	}
	return r, nil
}

// write writes every form that was asked for, and the table unless one of these went
// to standard output.
func (o options) write(r *bench.Report, out io.Writer) error {
	table := true
	for _, form := range []struct {
		path string
		make func(io.Writer) error
	}{
		{o.json, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", " ")
			return e.Encode(r)
		}},
		{o.goBench, r.WriteGo},
		{o.html, func(w io.Writer) error { return writeHTML(w, r) }},
		{o.svg, func(w io.Writer) error { return writeHeadline(w, r) }},
	} {
		if form.path == "" {
			continue
		}
		var b bytes.Buffer
		if err := form.make(&b); err != nil {
			return err
		}
		if form.path == "-" {
			table = false
			if _, err := out.Write(b.Bytes()); err != nil {
				return fmt.Errorf("print report: %w", err)
			}
			continue
		}
		if err := os.WriteFile(form.path, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	if !table {
		return nil
	}
	return writeText(out, r)
}
