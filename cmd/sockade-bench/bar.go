// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// bar shows on a terminal how far a run is; elsewhere nothing.
type bar struct {
	w    io.Writer
	done float64
}

func newBar(w io.Writer) *bar {
	f, ok := w.(*os.File)
	if !ok {
		return &bar{}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return &bar{}
	}
	return &bar{w: w}
}

func (b *bar) tell(done float64, what string) {
	if b.w == nil {
		return
	}
	b.done = max(b.done, done)
	const width = 30
	full := int(b.done * width)
	fmt.Fprintf(b.w, "\r\x1b[K%s%s %3.0f %%  %s", strings.Repeat("█", full), strings.Repeat("░", width-full), 100*b.done, what)
}

func (b *bar) end() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
