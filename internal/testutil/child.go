// SPDX-License-Identifier: Apache-2.0

package testutil

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The way of a child: [Run] starts /proc/self/exe with envChild set → [Main]
// sees it and calls the function of that name in place of the tests → what the
// function returns goes through the pipe as a report → Run takes the report
// and then looks at how the child ended.
const (
	envChild = "SOCKADE_TEST_CHILD"
	envArg   = "SOCKADE_TEST_CHILD_ARG"
	envPipe  = "SOCKADE_TEST_CHILD_PIPE"
)

// defaultTimeout bounds a child that sets no timeout of its own.
const defaultTimeout = 30 * time.Second

// Children are the functions that a test binary can run as child processes, by
// name. A function gets the JSON of [Child.Arg]; what it returns is reported.
type Children map[string]func(arg []byte) (any, error)

// Child says what [InChild] is to run. The zero value of every field but Name
// is useful.
type Child struct {
	// Name is the function, a key of the Children that TestMain gave to [Main].
	Name string
	// Arg is passed to it as JSON.
	Arg any
	// Files are open in the child as descriptors 3 and up.
	Files []*os.File
	// Attr may set credentials or namespaces.
	Attr *syscall.SysProcAttr
	// Exe is the test binary to run: /proc/self/exe unless set.
	Exe string
	// Timeout is after how long the child is killed, which is a failure: 30
	// seconds unless set.
	Timeout time.Duration
}

// message is what travels through the pipe.
type message struct {
	Report json.RawMessage
	Err    string
}

// InChild runs a function of the test binary in a child process and decodes its
// report, which may be nil where only success matters. A child that is killed,
// times out, exits with a status other than 0, or exits with 0 and without a
// report fails the test.
func InChild(t testing.TB, c Child, report any) {
	t.Helper()
	if err := Run(c, report); err != nil {
		t.Fatal(err)
	}
}

// Run is [InChild] with an error in place of a failed test.
func Run(c Child, report any) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout())
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	cmd, err := Command(ctx, c, w)
	if err != nil {
		_ = w.Close()
		return err
	}
	var output lockedBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		_ = w.Close()
		return fmt.Errorf("child %s: %w", c.Name, err)
	}
	_ = w.Close()
	// A grandchild that outlives the child keeps the pipe open: no waiting for it.
	_ = r.SetReadDeadline(time.Now().Add(c.timeout()))
	received := make(chan message, 1)
	broken := make(chan error, 1)
	go func() {
		var m message
		if err := json.NewDecoder(r).Decode(&m); err != nil {
			broken <- err
			return
		}
		received <- m
	}()
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("child %s: killed after %v%s", c.Name, c.timeout(), &output)
	}
	if waitErr != nil {
		return fmt.Errorf("child %s: %w%s", c.Name, waitErr, &output)
	}
	// It has ended well: whatever it had to say is in the pipe by now.
	_ = r.SetReadDeadline(time.Now().Add(time.Second))
	select {
	case m := <-received:
		if m.Err != "" {
			return fmt.Errorf("child %s: %s%s", c.Name, m.Err, &output)
		}
		if report == nil {
			return nil
		}
		if err := json.Unmarshal(m.Report, report); err != nil {
			return fmt.Errorf("child %s: report %s: %w", c.Name, m.Report, err)
		}
		return nil
	case err := <-broken:
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("child %s: exited with 0 and without a report%s", c.Name, &output)
		}
		return fmt.Errorf("child %s: report: %w%s", c.Name, err, &output)
	}
}

// Command returns the command that [Run] starts, for tests that start it in a
// way of their own. The child reports to the pipe, which may be nil.
func Command(ctx context.Context, c Child, pipe *os.File) (*exec.Cmd, error) {
	exe := c.Exe
	if exe == "" {
		exe = "/proc/self/exe"
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Args = []string{os.Args[0] + " (child " + c.Name + ")"}
	cmd.ExtraFiles = append(cmd.ExtraFiles, c.Files...)
	cmd.SysProcAttr = c.Attr
	cmd.WaitDelay = 5 * time.Second
	pipeFD := -1
	if pipe != nil {
		pipeFD = 3 + len(cmd.ExtraFiles)
		cmd.ExtraFiles = append(cmd.ExtraFiles, pipe)
	}
	env, err := Env(c.Name, c.Arg, pipeFD)
	cmd.Env = env
	return cmd, err
}

// Env returns the environment that makes the test binary run a child function
// and report to a descriptor: a child that executes the test binary again
// passes on the descriptor that it has from [PipeFD]. -1 is no pipe.
func Env(name string, arg any, pipeFD int) ([]string, error) {
	text, err := json.Marshal(arg)
	if err != nil {
		return nil, fmt.Errorf("child %s: %w", name, err)
	}
	env := []string{envChild + "=" + name, envArg + "=" + string(text), fmt.Sprintf("%s=%d", envPipe, pipeFD)}
	if os.Getenv("GORACE") == "" { // the race detector else lingers a second at every exit
		env = append(env, "GORACE=atexit_sleep_ms=0")
	}
	for _, v := range os.Environ() {
		switch key, _, _ := strings.Cut(v, "="); key {
		case envChild, envArg, envPipe:
		default:
			env = append(env, v)
		}
	}
	return env, nil
}

func (c Child) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return defaultTimeout
}

// lockedBuffer keeps what a child prints, to be shown when it fails.
type lockedBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.text) == 0 {
		return ""
	}
	return "\n" + string(b.text)
}
