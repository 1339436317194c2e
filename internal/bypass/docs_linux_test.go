// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/backends/landlock"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

var update = flag.Bool("update", false, "write docs/bypass.md")

const docsPath = "../../docs/bypass.md"

// TestDocs holds docs/bypass.md to the table.
func TestDocs(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(docsPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsPath)
	if err != nil || string(got) != want {
		t.Errorf("%s is stale (%v): go test ./internal/bypass -run TestDocs -update", docsPath, err)
	}
}

const docsHead = `<!-- SPDX-License-Identifier: Apache-2.0 -->
<!-- Written by: go test ./internal/bypass -run TestDocs -update. Do not edit. -->

# Ways around a socket filter

Every known way around a socket filter, and what happens to it with the backends seccomp (and libseccomp), bpflsm, and
landlock on a kernel with socket rules. Each row is a test: the way is tried without a sandbox, where it has to work, and
with one, as root and, but for bpflsm, which takes root, as an unprivileged user. Where it is not simply closed, ` + "`sockade plan`" + ` reports it under the ID in
the table; a test holds the plan to that.

`

var endWords = []struct {
	end  end
	text string
}{
	{closed, "The attempt fails, and there is no socket outside the policy."},
	{narrowed, "So does more than the way: the plan has a narrowing."},
	{refuses, "What is open before is named, and nothing is started."},
	{gap, "The plan has a gap: strict refuses to start, best effort starts, and the way works."},
	{unseen, "The way works. The plan lists it under what no layer sees."},
	{granted, "The way works, and the policy says so."},
	{kept, "No way around: it works with and without a sandbox."},
}

const docsTail = `
## Not in the table

- Another process acts on request: a proxy, an inetd, a container engine or service manager behind a UNIX socket. That is
  no socket of the sandboxed process, and no socket filter sees it; allow ` + "`unix`" + ` and mind who listens.
- Root has ways that need no socket call: kernel modules, core_pattern, other processes' memory. Run the command as a
  user of its own.
- What is no socket but moves packets: /dev/net/tun, /dev/vhost-net, /dev/vhost-vsock. Their file permissions decide.
`

func document() string {
	var b strings.Builder
	b.WriteString(docsHead)
	for _, w := range endWords {
		fmt.Fprintf(&b, "- **%s**: %s\n", w.end, w.text)
	}
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n\n| way | policy | with seccomp | with bpflsm | with Landlock's socket rules | how it is shown |\n|---|---|---|---|---|---|\n", c.title)
		for _, w := range c.rows {
			fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %s |\n", w.name, w.policyText(), w.endText(), w.exactText(bpflsm.New()), w.exactText(landlock.New()), strings.ReplaceAll(w.shown, "|", `\|`))
		}
	}
	b.WriteString(docsTail)
	return b.String()
}

// policyText is the policy in the words of the command line.
func (w way) policyText() string {
	text := w.allow
	if w.fds.Receive == engine.ReceivePolicy {
		text += ", receive = policy"
	}
	switch w.fds.Inherit {
	case engine.InheritClose:
		text += ", inherit = close"
	case engine.InheritKeep:
		text += ", inherit = keep"
	}
	if w.errno == engine.DenyUnsupported {
		text += ", errno unsupported"
	}
	if w.bestEffort {
		text += ", best effort"
	}
	return text
}

func (w way) endText() string {
	text := "**" + string(w.end) + "**"
	if w.end == closed || w.end == narrowed {
		text += ": " + w.seen
	}
	if w.finding != "" {
		text += " (`" + w.finding + "`)"
	}
	if w.filtered != "" {
		text += "; where io_uring has filters: " + w.filtered
	}
	return text
}

// exactText is endText with a backend that sees every request.
func (w way) exactText(b engine.Backend) string {
	w = w.on(selector.Candidate{Backend: b})
	w.filtered = ""
	return w.endText()
}
