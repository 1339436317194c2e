// SPDX-License-Identifier: Apache-2.0

package testutil

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main(m, Children{
		"echo": func(arg []byte) (any, error) { return json.RawMessage(arg), nil },
		"says no": func([]byte) (any, error) {
			return nil, errors.New("verdict: no")
		},
		"killed": func([]byte) (any, error) {
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			time.Sleep(time.Minute)
			return "never", nil
		},
		"killed after the report": func([]byte) (any, error) {
			_, _ = os.NewFile(uintptr(PipeFD()), "report").WriteString(`{"Report":true}`)
			self, _ := os.FindProcess(os.Getpid())
			_ = self.Kill()
			time.Sleep(time.Minute)
			return "never", nil
		},
		"silent": func([]byte) (any, error) { os.Exit(0); return "never", nil },
		"exit 3": func([]byte) (any, error) { os.Exit(3); return "never", nil },
		"panics": func([]byte) (any, error) { panic("verdict: none") },
		"garbage": func([]byte) (any, error) {
			_, _ = os.NewFile(uintptr(PipeFD()), "report").WriteString("{")
			os.Exit(0)
			return nil, nil
		},
		"sleeps": func([]byte) (any, error) { time.Sleep(time.Minute); return "never", nil },
	})
}

func TestChildReports(t *testing.T) {
	var got struct{ A, B int }
	InChild(t, Child{Name: "echo", Arg: map[string]int{"A": 1, "B": 2}}, &got)
	if got.A != 1 || got.B != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestChildRejects is what the helper is for: no end but a good report counts.
func TestChildRejects(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"says no", "verdict: no"},
		{"killed", "signal: killed"},
		{"killed after the report", "signal: killed"},
		{"silent", "without a report"},
		{"exit 3", "exit status 3"},
		{"panics", "exit status 2"},
		{"garbage", "report: "},
		{"sleeps", "killed after"},
		{"nobody", "no child function"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			timeout := 10 * time.Second
			if tt.name == "sleeps" {
				timeout = 200 * time.Millisecond
			}
			err := Run(Child{Name: tt.name, Timeout: timeout}, new(any))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// fakeTB takes down how a helper ends a test.
type fakeTB struct {
	testing.TB
	skipped, fatal string
}

func (f *fakeTB) Helper()                   {}
func (f *fakeTB) Logf(string, ...any)       {}
func (f *fakeTB) Skip(args ...any)          { f.skipped = fmt.Sprint(args...) }
func (f *fakeTB) Fatalf(s string, a ...any) { f.fatal = fmt.Sprintf(s, a...); runtime.Goexit() }

func need(capability, missing string) *fakeTB {
	f := &fakeTB{}
	done := make(chan bool)
	go func() { // Goexit stands for FailNow
		defer close(done)
		Need(f, capability, missing, "build\nit")
	}()
	<-done
	return f
}

func TestNeed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "skips")
	t.Setenv(envSkips, file)
	t.Setenv(envRequire, "landlock, i386")
	before := Skips()
	defer skips.Store(int64(before))

	if f := need("x32", ""); f.skipped != "" || f.fatal != "" {
		t.Errorf("a capability that is there: %+v", f)
	}
	const line = "SKIP: x32: no CONFIG_X86_X32_ABI: build it"
	if f := need("x32", "no CONFIG_X86_X32_ABI"); f.skipped != line || f.fatal != "" {
		t.Errorf("a capability that is missing: %+v", f)
	}
	if f := need("i386", "no CONFIG_IA32_EMULATION"); f.skipped != "" || f.fatal == "" {
		t.Errorf("a capability that is required and missing: %+v", f)
	}
	if got := Skips() - before; got != 1 {
		t.Errorf("%d skips counted, want 1", got)
	}
	if text, err := os.ReadFile(file); string(text) != line+"\n" {
		t.Errorf("%s holds %q, %v", envSkips, text, err)
	}
}

func TestRandRepeats(t *testing.T) {
	t.Setenv(envSeed, "4711")
	if a, b := Rand(t).Uint64(), Rand(t).Uint64(); a != b {
		t.Errorf("one seed, two sequences: %d and %d", a, b)
	}
	t.Setenv(envSeed, "seven")
	f := &fakeTB{}
	done := make(chan bool)
	go func() { defer close(done); Rand(f) }()
	<-done
	if f.fatal == "" {
		t.Error("a bad seed is taken")
	}
}
