// SPDX-License-Identifier: Apache-2.0

package main

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// The way of a completion: the shell's script (completion/) runs "sockade
// __complete WORD…" with the words up to the cursor → complete finds out what
// the last one is → its completer lists candidates → the last line of the answer
// tells the script how to go on.
const completeCommand = "__complete"

// What the last line says.
const (
	thenSpace   = ":"        // a candidate is a whole word
	thenMore    = ":nospace" // it may go on
	thenFiles   = ":files"   // file names complete it
	thenCommand = ":command" // a command line of its own begins after so many words
)

// completer lists candidates for a word that is being typed, and how to go on.
type completer func(word string) (candidates []string, then string)

//go:embed completion
var scripts embed.FS

func newCompletion() *command {
	return &command{
		name: "completion", args: "bash|fish|zsh", complete: completeWords("bash", "fish", "zsh"),
		short: "Print the completion script of a shell",
		long: `Completion prints a script that makes a shell complete commands, flags, rules,
requests and backends. The shell asks sockade each time, so the script does not age.`,
		example: `  source <(sockade completion bash)
  source <(sockade completion zsh)
  sockade completion fish | source`,
		run: func(s streams, args []string) error {
			if len(args) != 1 {
				return errors.New("completion: give one shell: bash, fish or zsh")
			}
			text, err := scripts.ReadFile("completion/sockade." + args[0])
			if err != nil {
				return fmt.Errorf("completion: no script for %s: give bash, fish or zsh", quote(args[0]))
			}
			return print(s, string(text))
		},
	}
}

// complete answers for the last of the words behind "sockade".
func complete(words []string) string {
	candidates, then := completeLast(words)
	return strings.Join(append(candidates, then), "\n") + "\n"
}

func completeLast(words []string) (candidates []string, then string) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := len(words) - 1
	word := words[last]
	if last == 0 || words[0] == "help" {
		names := []string{"help", "--help", "--version"}
		for _, c := range subcommands {
			names = append(names, c.name)
		}
		return matching(names, "", word), thenSpace
	}
	c := find(words[0])
	if c == nil {
		return nil, thenSpace
	}
	var value completer // of the option whose value comes next
	for i, w := range words[1:last] {
		switch {
		case value != nil:
			if w != "=" { // bash makes a word of it
				value = nil
			}
		case w == "--" || !strings.HasPrefix(w, "-"):
			if c.takesCommand {
				first := i + 1
				if w == "--" {
					first++
				}
				return nil, fmt.Sprintf("%s %d", thenCommand, first)
			}
		case !strings.Contains(w, "="):
			value = c.completerOf(w)
		}
	}
	if name, typed, ok := strings.Cut(word, "="); ok && value == nil && strings.HasPrefix(word, "-") {
		if value = c.completerOf(name); value == nil {
			return nil, thenSpace
		}
		candidates, then = value(typed)
		for i := range candidates {
			candidates[i] = name + "=" + candidates[i]
		}
		return candidates, then
	}
	switch {
	case value != nil && word == "=":
		return value("")
	case value != nil:
		return value(word)
	case strings.HasPrefix(word, "-") && !c.passesFlags:
		return matching(c.flagNames(), "", word), thenSpace
	case c.takesCommand:
		return nil, fmt.Sprintf("%s %d", thenCommand, last)
	case c.complete != nil:
		return c.complete(word)
	}
	return nil, thenSpace
}

// completerOf returns what completes the value of the option that a word names.
func (c *command) completerOf(word string) completer {
	name := strings.TrimLeft(word, "-")
	for _, o := range c.options {
		if name == o.long || name == o.letter {
			return o.complete
		}
	}
	return nil
}

func (c *command) flagNames() []string {
	names := []string{"--help"}
	for _, o := range c.options {
		names = append(names, "--"+o.long)
	}
	return names
}

// bundles are the words that stand for several rules.
var bundles = []string{"all", "none", "tcp", "udp", "mptcp", "icmp"}

// highestProtocol is the highest one with a name in any family.
const highestProtocol = 262

var (
	completeAllow = completeList(func(word string) []string { return completeRule(word, bundles, 3) })
	completeDeny  = completeList(func(word string) []string { return completeRule(word, nil, 2) })
)

func completeBackends(word string) ([]string, string) {
	return completeList(func(string) []string {
		names := []string{"auto"}
		for _, b := range selector.Backends() {
			names = append(names, b.Name())
		}
		return names
	})(word)
}

func completeRequests(word string) ([]string, string) {
	return matching(completeRule(word, nil, 3), "", word), thenMore
}

func completeFiles(string) ([]string, string) { return nil, thenFiles }

func completeNothing(string) ([]string, string) { return nil, thenSpace }

func completeWords(words ...string) completer {
	return func(word string) ([]string, string) { return matching(words, "", word), thenSpace }
}

// completeList completes the last element of a comma-separated list.
func completeList(words func(last string) []string) completer {
	return func(text string) ([]string, string) {
		at := strings.LastIndexByte(text, ',') + 1
		return matching(words(text[at:]), text[:at], text[at:]), thenMore
	}
}

func matching(words []string, before, prefix string) []string {
	var out []string
	for _, w := range words {
		if strings.HasPrefix(w, prefix) {
			out = append(out, before+w)
		}
	}
	return out
}

// completeRule offers the names for the part of a rule that is being typed:
// families and other words, then types, then the protocols of the family.
func completeRule(text string, others []string, parts int) []string {
	typed := strings.Split(text, "/")
	if len(typed) > parts {
		return nil
	}
	before := strings.Join(typed[:len(typed)-1], "/") + "/"
	switch len(typed) {
	case 1:
		return append(slices.Clone(others), names("", engine.KnownLimits.AFMax, engine.FamilyName)...)
	case 2:
		return names(before, engine.KnownLimits.SockMax, engine.TypeName)
	}
	rule, err := engine.ParseRule(typed[0])
	if err != nil {
		return nil
	}
	return names(before, highestProtocol+1, func(n int32) string { return engine.ProtocolName(rule.Family, n) })
}

// names returns those of the numbers below end that have a name.
func names(before string, end int32, name func(int32) string) []string {
	var out []string
	for n := range end {
		if word := name(n); word[0] < '0' || word[0] > '9' {
			out = append(out, before+word)
		}
	}
	return out
}
