// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/sockade/sockade/backends/bpflsm"
)

func newBPF() *command {
	var asJSON, force bool
	c := &command{
		name: "bpf", args: "load | status [--json] | unload [--force]",
		short: "Load the programs of the backend bpflsm, look at them, or unload them",
		long: `Bpf manages the BPF programs that the backend bpflsm enforces by. It takes root.

  load    attaches the programs and pins them below ` + bpflsm.Root + `, where they
          stay until the machine boots. sockade run loads them by itself where it
          uses them. Loading another version leaves the tasks of the one before
          with their policies.
  status  lists what is loaded: versions, sandboxes, their tasks, denied requests.
  unload  detaches the programs. While there are sandboxes it refuses; with
          --force their tasks go on without any policy of this backend.

Exit status: 0, or 125 if it failed or refused.`,
		example: `  sockade bpf load
  sockade bpf status --json | jq '.[].domains'
  sockade bpf unload`,
		complete: completeWords("load", "status", "unload"),
		run:      func(_ streams, args []string) error { return bpf(args, asJSON, force) },
	}
	c.toggle(&asJSON, "json", "status: print JSON")
	c.toggle(&force, "force", "unload: although there are sandboxes, whose tasks then have\nno policy of this backend any more")
	return c
}

// bpf becomes the helper, which has the library for it.
func bpf(args []string, asJSON, force bool) error {
	if len(args) != 1 {
		return errors.New("bpf: give one of load, status, unload: see sockade bpf --help")
	}
	argv := []string{bpflsm.Helper, args[0]}
	switch args[0] {
	case "load":
	case "status":
		if asJSON {
			argv = append(argv, "--json")
		}
		asJSON = false
	case "unload":
		if force {
			argv = append(argv, "--force")
		}
		force = false
	default:
		return fmt.Errorf("bpf: unknown word %s: give one of load, status, unload: see sockade bpf --help", quote(args[0]))
	}
	if asJSON || force {
		return fmt.Errorf("bpf %s: it has no such flag: see sockade bpf --help", args[0])
	}
	path, err := bpflsm.FindHelper()
	if err != nil {
		return err
	}
	return fmt.Errorf("exec %s: %w: install it again", path, syscall.Exec(path, argv, os.Environ()))
}
