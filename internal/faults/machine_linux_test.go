// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/internal/testutil"
)

// needOwnMachine skips where a test would change the machine of somebody else.
func needOwnMachine(t *testing.T) {
	t.Helper()
	missing := ""
	if os.Getenv(testutil.EnvGuest) == "" {
		missing = "it would change settings of the whole machine"
	} else if os.Getuid() != 0 {
		missing = "this is another user than root"
	}
	testutil.Need(t, "guest", missing, "make guests ARGS='-run "+t.Name()+"'")
}

// settings of a machine that take something away. Each is left as it was where the
// kernel lets it; the last value of the BPF one stays until the next boot.
var settings = []struct {
	file   string
	values []string
	// missing is the entry that is not there any more, with the last value.
	missing string
}{
	{"/proc/sys/kernel/io_uring_disabled", []string{"1", "2"}, "IORING_OP_SOCKET"},
	{"/proc/sys/kernel/unprivileged_bpf_disabled", []string{"2", "0", "1"}, ""},
	{"/sys/kernel/security/lockdown", []string{"integrity"}, ""},
}

// TestSettings: what an administrator may switch off costs nothing of a policy,
// and verify says what it could not try.
func TestSettings(t *testing.T) {
	needOwnMachine(t)
	if err := unix.Mount("securityfs", "/sys/kernel/security", "securityfs", 0, ""); err != nil && !errors.Is(err, unix.EBUSY) {
		t.Logf("mount securityfs: %v", err)
	}
	program := sockade(t)
	for _, s := range settings {
		t.Run(s.file, func(t *testing.T) {
			was, err := os.ReadFile(s.file)
			missing := ""
			if err != nil {
				missing = "this kernel has no " + s.file
			}
			testutil.Need(t, filepath.Base(s.file), missing, "boot a kernel that has it")
			t.Cleanup(func() { _ = os.WriteFile(s.file, was, 0) })
			for i, value := range s.values {
				if err := os.WriteFile(s.file, []byte(value), 0); err != nil && !strings.Contains(string(was), "["+value+"]") {
					t.Fatalf("%s: %v", value, err)
				}
				if refusal := run(t, task{Fault: "none", Argv: command(t, program)}).check(t); refusal != "" {
					t.Errorf("%s: %s", value, refusal)
				}
				if s.missing == "" {
					continue
				}
				report := verify(t, program)
				if want := i == len(s.values)-1; lacks(report, s.missing) != want {
					t.Errorf("%s: missing are %v; with %s in it: want %v", value, report.Missing, s.missing, want)
				}
			}
		})
	}
}

// verify runs "sockade verify" with few requests; all that it tries has to be right.
func verify(t *testing.T, program string) conformance.Report {
	t.Helper()
	o := run(t, task{Fault: "none", Argv: []string{program, "verify", "--json", "--backend", "seccomp", "--one-in", "997"}})
	var r conformance.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || o.status != 0 {
		t.Fatalf("verify: status %d: %v: %s", o.status, err, o.stderr)
	}
	if r.Divergences() != 0 || r.Backends[0].Requests < 1000 {
		t.Errorf("verify: %d divergences in %d requests", r.Divergences(), r.Backends[0].Requests)
	}
	t.Logf("verify: missing: %v", r.Missing)
	if gone := lacks(r, "i386 socket"); runtime.GOARCH == "amd64" && gone == runs386(t) {
		t.Errorf("verify: int 0x80 is missing: %v, and 32-bit programs run: %v", gone, !gone)
	}
	return r
}

// lacks tells whether a report says that this kernel has not got an entry.
func lacks(r conformance.Report, entry string) bool {
	return slices.ContainsFunc(r.Missing, func(m conformance.Missing) bool { return m.Name == entry })
}

// runs386 tells whether the kernel executes 32-bit programs of x86.
func runs386(t *testing.T) bool {
	t.Helper()
	program, missing, err := testutil.Build(t.TempDir(), "internal/bypass/testdata/socket32", "386")
	if err != nil || missing != "" {
		t.Fatal(missing, err)
	}
	err = exec.Command(program, "direct", "unix").Run()
	return !errors.Is(err, unix.ENOEXEC)
}

// TestMemory: with less and less memory a command has its whole policy, or does
// not run. The kernel may end any of them on the way.
func TestMemory(t *testing.T) {
	needOwnMachine(t)
	root := t.TempDir()
	if err := unix.Mount("cgroup2", root, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	write("cgroup.subtree_control", "+memory")
	program := sockade(t)
	const steps = 48
	ends := map[string]int{}
	for limit := 64 << 10; limit <= steps*64<<10; limit += 64 << 10 {
		name := fmt.Sprintf("limit-%d", limit)
		group := filepath.Join(root, name)
		if err := os.Mkdir(group, 0o755); err != nil {
			t.Fatal(err)
		}
		write(name+"/memory.max", fmt.Sprint(limit))
		o := run(t, task{Fault: "none", Argv: command(t, program), CGroup: group})
		switch {
		case o.status == -1 && o.stdout == "":
			ends["killed"]++
		case o.status == -1: // the command, which had answered by then
			o.status = 0
			o.check(t)
			ends["whole policy, and killed"]++
		case o.status == 2 && o.stdout == "" && strings.Contains(o.stderr, "out of memory"):
			ends["out of memory in the runtime"]++
		case o.check(t) == "":
			ends["whole policy"]++
		default:
			ends["refused"]++
		}
		if err := os.Remove(group); err != nil {
			t.Log(err)
		}
	}
	t.Log(ends)
	if ends["whole policy"] == 0 || ends["whole policy"] == steps {
		t.Errorf("the limits show nothing: %v", ends)
	}
}
