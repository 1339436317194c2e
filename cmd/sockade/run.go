// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/selector"
)

func newRun() *command {
	var f planFlags
	c := &command{
		name: "run", args: "[flags] -- CMD [ARG…]", takesCommand: true,
		short: "Run a command that can create only the sockets that the policy allows",
		long: `Run applies the policy and then becomes the command: same process, no parent left
behind. The policy is what --policy, --allow and --deny say together; every other
socket is denied. What is applied cannot be taken back, and holds for whatever the
command starts.

A policy that this machine cannot enforce in full is refused, see sockade plan.

Exit status: 125 if sockade failed and ran nothing, 126 if the command cannot be
executed, 127 if it is not found, else that of the command.`,
		example: `  sockade run --allow unix,tcp -- curl https://example.org
  sockade run --allow all --deny alg,vsock,bluetooth -- make
  sockade run --allow unix --errno unsupported -- ./program
  sockade run --policy server.toml -- nginx

  # server.toml
  allow = ["unix", "tcp", "netlink/raw/route"]
  deny_errno = "eacces"`,
		run: func(s streams, args []string) error { return run(s, &f, args) },
	}
	f.register(c)
	return c
}

// run returns only with an error: else the process is the command.
func run(s streams, f *planFlags, args []string) error {
	if len(args) == 0 {
		return errors.New("run: no command: add it after --, for example sockade run --allow unix -- true")
	}
	plan, err := f.plan(s.in, true)
	if err != nil {
		return err
	}
	path, err := lookPath(args[0])
	if err != nil {
		return err
	}
	for _, gap := range plan.Gaps { // none unless --best-effort
		say(s.err, fmt.Sprintf("not enforced: %s: %s: %s", gap.What, gap.Why, gap.Fix))
	}
	if note := plan.note(path); note != "" {
		say(s.err, note)
	}
	return execFailed(plan.Exec(path, args, os.Environ()))
}

// execFailed gives an execve that failed the status that a shell would give it.
func execFailed(err error) error {
	var exec *selector.ExecError
	switch {
	case !errors.As(err, &exec):
		return err
	case errors.Is(exec, unix.ENOENT):
		// It was there a moment ago.
		return &statusError{statusNotFound, fmt.Errorf("%w: the interpreter that it names is missing: install it, or change its first line", err)}
	case errors.Is(exec, unix.ENOEXEC):
		return &statusError{statusNotExecutable, fmt.Errorf("%w: it is no program for this machine: a script needs a first line such as #!/bin/sh", err)}
	}
	return &statusError{statusNotExecutable, err}
}
