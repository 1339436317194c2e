// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"strings"
)

const about = `Sockade runs a program with a list of the sockets that it may create. It enforces
the list by whatever this kernel has, gives the same verdicts everywhere, and can
prove it: sockade verify.

Usage:
  sockade COMMAND [flags]

Examples:
  sockade run --allow unix,tcp -- curl https://example.org
  sockade plan --policy server.toml
  sockade check --allow tcp inet/stream/tcp inet/dgram
  sockade verify

Commands:
`

// help is the help of the whole program.
func help() string {
	var b strings.Builder
	b.WriteString(about)
	for _, c := range subcommands {
		fmt.Fprintf(&b, "  %-12s%s\n", c.name, c.build().short)
	}
	b.WriteString("\nsockade COMMAND --help tells more about one, sockade --version what was built.\n")
	return b.String()
}

// help is the help of one command.
func (c *command) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  sockade %s %s\n\nExamples:\n%s\n", c.long, c.name, c.args, c.example)
	if len(c.options) > 0 {
		b.WriteString("\nFlags:\n")
		c.describeOptions(&b)
	}
	return b.String()
}

// describeOptions writes two columns: the names, and what they mean.
func (c *command) describeOptions(b *strings.Builder) {
	set := c.flags()
	var names, usages []string
	width := 0
	for _, o := range c.options {
		value, usage := flag.UnquoteUsage(set.Lookup(o.long))
		name := "      --" + o.long
		if o.letter != "" {
			name = "  -" + o.letter + ", --" + o.long
		}
		if value != "" {
			name += " " + value
		}
		names, usages = append(names, name), append(usages, usage)
		width = max(width, len(name)+3)
	}
	indent := "\n" + strings.Repeat(" ", width)
	for i, name := range names {
		fmt.Fprintf(b, "%-*s%s\n", width, name, strings.ReplaceAll(usages[i], "\n", indent))
	}
}
