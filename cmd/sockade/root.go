// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// subcommands in the order in which help lists them.
var subcommands = []struct {
	name  string
	build func() *cobra.Command
}{
	{"run", newRun},
	{"plan", newPlan},
	{"check", newCheck},
	{"probe", newProbe},
	{"verify", newVerify},
}

// sockade is the program: it returns the exit status.
func sockade(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(args)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return report(stderr, root.Execute())
}

// newRoot builds the command line for args. Building all subcommands takes
// longer than the rest of a start, so where one is named only that is built.
func newRoot(args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "sockade",
		SilenceErrors: true, // main prints them, on one line
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())
	})
	if len(args) > 0 {
		for _, s := range subcommands {
			if s.name == args[0] {
				root.CompletionOptions.DisableDefaultCmd = true
				root.SetHelpCommand(&cobra.Command{Hidden: true})
				root.AddCommand(s.build())
				return root
			}
		}
	}
	root.Short = "One socket allow-list, enforced by whatever the kernel has"
	root.Long = `Sockade runs a program with a list of the sockets that it may create. It enforces
the list by whatever this kernel has, gives the same verdicts everywhere, and can
prove it: sockade verify.`
	root.Example = `  sockade run --allow unix,tcp -- curl https://example.org
  sockade plan --policy server.toml
  sockade check --allow tcp inet/stream/tcp inet/dgram
  sockade verify`
	root.Version = version()
	root.Args = unknownCommand
	root.RunE = func(*cobra.Command, []string) error {
		return fmt.Errorf("no command: give one of %s: see sockade --help", subcommandNames())
	}
	for _, s := range subcommands {
		root.AddCommand(s.build())
	}
	return root
}

// unknownCommand stands in for cobra's own message, which has many lines.
func unknownCommand(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %s: give one of %s: see sockade --help", quote(args[0]), subcommandNames())
}

func subcommandNames() string {
	var names []string
	for _, s := range subcommands {
		names = append(names, s.name)
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

// noArgs is for commands that take flags only.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unknown argument %s: it takes flags only: see %s --help", quote(args[0]), cmd.CommandPath())
	}
	return nil
}
