// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// bundles are the words that stand for several rules.
var bundles = []string{"all", "none", "tcp", "udp", "mptcp", "icmp"}

// highestProtocol is the highest one with a name in any family.
const highestProtocol = 262

func (f *policyFlags) complete(cmd *cobra.Command) {
	_ = cmd.MarkFlagFilename("policy", "toml")
	for flag, values := range map[string]cobra.CompletionFunc{
		"allow":   listCompletion(func(word string) []string { return completeRule(word, bundles, 3) }),
		"deny":    listCompletion(func(word string) []string { return completeRule(word, nil, 2) }),
		"errno":   cobra.FixedCompletions([]string{"eacces", "unsupported"}, cobra.ShellCompDirectiveNoFileComp),
		"inherit": cobra.FixedCompletions([]string{"check", "close", "keep"}, cobra.ShellCompDirectiveNoFileComp),
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, values)
	}
}

func completeBackends(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	return listCompletion(func(string) []string {
		names := []string{"auto"}
		for _, b := range selector.Backends() {
			names = append(names, b.Name())
		}
		return names
	})(cmd, args, text)
}

func completeRequests(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
	return matching(completeRule(text, nil, 3), "", text), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// listCompletion completes the last element of a comma-separated list.
func listCompletion(words func(last string) []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		at := strings.LastIndexByte(text, ',') + 1
		return matching(words(text[at:]), text[:at], text[at:]), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
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
