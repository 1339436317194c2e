// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sockade/sockade/engine"
)

// note says in one line which narrowing hits the program at hand; it is empty
// where none is known to. A 32-bit program can be told by its header; whether
// one needs io_uring cannot, and is not guessed at.
func (p *planned) note(path string) string {
	i := slices.IndexFunc(p.Narrowings, isSocketcall)
	if i < 0 || !isX86Program32(path) {
		return ""
	}
	n := p.Narrowings[i]
	return fmt.Sprintf("note: %s is a 32-bit x86 program: denied to it, whatever the policy allows: %s: %s; backends without this: %s",
		path, n.What, n.Why, strings.Join(p.withoutSocketcall(), ", "))
}

// withoutSocketcall names the backends that see through socketcall(2).
func (p *planned) withoutSocketcall() []string {
	var names []string
	for _, c := range p.candidates {
		if slices.ContainsFunc(c.Backend.Assess(p.policy, c.Support).Narrowings, isSocketcall) {
			continue
		}
		name := c.Backend.Name()
		if !c.Support.Available {
			name += " (not available here)"
		}
		names = append(names, name)
	}
	return names
}

func isSocketcall(f engine.Finding) bool { return f.ID == engine.FindingSocketcall }
