// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// streams are the standard ones of the process, or of a test.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// command is one subcommand. It is built when it is asked for only.
type command struct {
	name, args, short, long, example string
	options                          []option
	// takesCommand says that the first argument begins a command line that is
	// not ours, with flags of its own.
	takesCommand bool
	// passesFlags says that all arguments are another program's, but for a request
	// for help alone.
	passesFlags bool
	// complete completes the other arguments.
	complete completer
	run      func(s streams, args []string) error
}

// subcommands in the order in which help lists them.
var subcommands = []struct {
	name  string
	build func() *command
}{
	{"run", newRun},
	{"plan", newPlan},
	{"check", newCheck},
	{"probe", newProbe},
	{"verify", newVerify},
	{"bench", newBench},
	{"bpf", newBPF},
	{"completion", newCompletion},
}

// sockade is the program: it returns the exit status.
func sockade(args []string, s streams) int { return report(s.err, dispatch(args, s)) }

func dispatch(args []string, s streams) error {
	if len(args) == 0 {
		return fmt.Errorf("no command: give one of %s: see sockade --help", subcommandNames())
	}
	if c := find(args[0]); c != nil {
		return c.start(args[1:], s)
	}
	switch args[0] {
	case "help":
		if len(args) > 1 {
			c := find(args[1])
			if c == nil {
				return unknownCommand(args[1])
			}
			return print(s, c.help())
		}
		return print(s, help())
	case "-h", "--help":
		return print(s, help())
	case "-v", "--version":
		return print(s, "sockade version "+version()+"\n")
	case completeCommand:
		return print(s, complete(args[1:]))
	}
	if strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("unknown flag %s: give a command first: see sockade --help", quote(args[0]))
	}
	return unknownCommand(args[0])
}

// find builds the command of that name; nil if there is none.
func find(name string) *command {
	for _, c := range subcommands {
		if c.name == name {
			return c.build()
		}
	}
	return nil
}

func unknownCommand(name string) error {
	return fmt.Errorf("unknown command %s: give one of %s: see sockade --help", quote(name), subcommandNames())
}

func subcommandNames() string {
	var names []string
	for _, c := range subcommands {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// start reads the flags and runs the command.
func (c *command) start(args []string, s streams) error {
	if c.passesFlags && (len(args) != 1 || args[0] != "-h" && args[0] != "--help") {
		return c.run(s, args)
	}
	args, err := c.parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return print(s, c.help())
	case err != nil:
		return fmt.Errorf("%s: %w: see sockade %s --help", c.name, err, c.name)
	case len(args) > 0 && c.args == "[flags]":
		return fmt.Errorf("%s: unknown argument %s: it takes flags only: see sockade %s --help", c.name, quote(args[0]), c.name)
	}
	return c.run(s, args)
}

// parse reads the flags and returns the other arguments. Flags may stand
// between these, but not in a command line that is not ours, nor after "--".
func (c *command) parse(args []string) ([]string, error) {
	flags := c.flags()
	var others []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, explainFlag(err)
		}
		rest := flags.Args()
		if read := len(args) - len(rest); len(rest) == 0 || c.takesCommand || read > 0 && args[read-1] == "--" {
			return append(others, rest...), nil
		}
		others, args = append(others, rest[0]), rest[1:]
	}
}

// explainFlag writes the flags in the errors of package flag as help does.
func explainFlag(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return fmt.Errorf("unknown flag: %s", dashed(name))
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag needs an argument: -"); ok {
		return fmt.Errorf("flag needs an argument: %s", dashed(name))
	}
	if value, rest, ok := strings.Cut(err.Error(), " for flag -"); ok {
		name, why, _ := strings.Cut(rest, ": ")
		return fmt.Errorf("%s for flag %s: %s", value, dashed(name), why)
	}
	return err
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

func print(s streams, text string) error {
	if _, err := io.WriteString(s.out, text); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}
