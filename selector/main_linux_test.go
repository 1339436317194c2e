// SPDX-License-Identifier: Apache-2.0

package selector_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

func TestMain(m *testing.M) {
	testutil.Main(m, testutil.Children{
		"asks":           asks,
		"restricts":      restricts,
		"restricts late": restrictsLate,
		"races":          races,
		"probes":         probes,
		"starts":         starts,
		"execs":          execs,
		"is refused":     isRefused,
		"is locked":      isLocked,
		"is too late":    isTooLate,
	})
}

// onlyUnix is the policy of most tests.
var onlyUnix = engine.Policy{Rules: []engine.Rule{{Family: unix.AF_UNIX, Type: engine.Any, Protocol: engine.Any}}}

// needBackend skips where nothing could restrict anything.
func needBackend(t testing.TB) {
	t.Helper()
	var reasons []string
	for _, c := range selector.Probe(engine.Trial) {
		if c.Support.Available {
			return
		}
		reasons = append(reasons, c.Support.Reason)
	}
	testutil.Need(t, "seccomp", strings.Join(reasons, "; "), "boot a kernel with CONFIG_SECCOMP_FILTER, leave the outer sandbox")
}

// asks prints what a process gets for an inet and for a UNIX socket. It is the
// verdict of a child that somebody else restricts.
func asks([]byte) (any, error) {
	fmt.Print(asked())
	return asked(), nil
}

func asked() string {
	word := func(errno unix.Errno) string {
		if errno == 0 {
			return "allowed"
		}
		return unix.ErrnoName(errno)
	}
	return "inet " + word(sys.TrySocket(unix.AF_INET, unix.SOCK_STREAM, 0)) +
		", unix " + word(sys.TrySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
}

// What asks prints.
const (
	restricted = "inet EACCES, unix allowed"
	free       = "inet allowed, unix allowed"
)

// traces returns what is in force per thread of this process: no_new_privs and
// the seccomp mode, such as "NoNewPrivs:0 Seccomp:0", by thread.
func traces() (map[string]string, error) {
	paths, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil { // the thread has ended
			continue
		}
		var words []string
		for line := range strings.Lines(string(text)) {
			for _, key := range []string{"NoNewPrivs:", "Seccomp:"} {
				if strings.HasPrefix(line, key) {
					words = append(words, key+strings.TrimSpace(strings.TrimPrefix(line, key)))
				}
			}
		}
		out[filepath.Base(filepath.Dir(path))] = strings.Join(words, " ")
	}
	return out, nil
}

// What traces finds on a thread.
const (
	noTrace = "NoNewPrivs:0 Seccomp:0"
	locked  = "NoNewPrivs:1 Seccomp:2"
	// lockedByRules is what Landlock leaves: its domains are not in /proc.
	lockedByRules = "NoNewPrivs:1 Seccomp:0"
)

// allThreads checks that every thread is in the same state.
func allThreads(want string) error {
	found, err := traces()
	if err != nil {
		return err
	}
	for tid, state := range found {
		if state != want {
			return fmt.Errorf("thread %s of process %d is %q, want %q", tid, os.Getpid(), state, want)
		}
	}
	return nil
}

// needNoTrace skips where the tests themselves run in a sandbox.
func needNoTrace(t testing.TB) {
	t.Helper()
	missing := ""
	if err := allThreads(noTrace); err != nil {
		missing = err.Error()
	}
	testutil.Need(t, "unsandboxed", missing, "run the tests outside of a container or service manager that sets filters")
}
