// SPDX-License-Identifier: Apache-2.0

// A run becomes the command within a millisecond: before that the Go runtime need
// not read what CPU time the cgroup may have.
//
//go:debug containermaxprocs=0
package main

import (
	"os"

	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/selector"
)

func main() {
	// verify starts this program again as its restricted child, which this call
	// turns into: it does not come back then.
	conformance.Main(selector.Backends())
	os.Exit(sockade(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}
