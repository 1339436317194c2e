// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// benchProgram has the charts, which would slow down every start of sockade.
const benchProgram = "sockade-bench"

func newBench() *command {
	return &command{
		name: "bench", args: "[flags of sockade-bench]",
		short: "Measure what a sandbox costs here, by each backend",
		long: `Bench runs sockade-bench, which is a program of its own: sockade-bench --help lists its
flags. It measures what programs do with sockets, and what they do without, in every
state that this machine has: no sandbox, each backend, many rules, sandboxes in one
another. The states take turns on one CPU, and where no difference is seen it says so.

Exit status: that of sockade-bench; 125 if it is not installed.`,
		example: `  sockade bench --quick
  sockade bench --html report.html
  sockade bench --full --go-bench new.txt`,
		passesFlags: true,
		complete:    completeBench,
		run:         func(_ streams, args []string) error { return becomeBench(args) },
	}
}

// completeBench completes flags, which sockade does not parse.
func completeBench(word string) ([]string, string) {
	return matching([]string{"--quick", "--full", "--json", "--html", "--go-bench", "--svg", "--scenario", "--state", "--cpu", "--seed", "--list", "--from"}, "", word), thenSpace
}

// becomeBench executes it, beside this program or in PATH.
func becomeBench(args []string) error {
	path, err := findBeside(benchProgram)
	if err != nil {
		return err
	}
	return fmt.Errorf("exec %s: %w: install it again", path, syscall.Exec(path, append([]string{benchProgram}, args...), os.Environ()))
}

func findBeside(program string) (string, error) {
	if self, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(self), program)
		if executable(path) == nil {
			return path, nil
		}
	}
	path, err := lookPath(program)
	if err != nil {
		return "", fmt.Errorf("bench: %s is neither beside this program nor in PATH: install it: go install github.com/sockade/sockade/cmd/%s@latest", program, program)
	}
	return path, nil
}
