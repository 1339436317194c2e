// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child, as its parent sees it.
type process struct {
	variant Variant
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
	stderr  bytes.Buffer
	port    uint16
	company bool // its samples are not looked at
}

// crowd are the children of one world.
type crowd struct {
	cpu      int
	children map[Variant]*process
	others   []*process
}

// child returns the one in a variant.
func (c *crowd) child(ctx context.Context, v Variant) (*process, error) {
	if p := c.children[v]; p != nil {
		return p, nil
	}
	p, err := startChild(ctx, c.cpu, kindLoops, v)
	if err == nil {
		c.children[v] = p
	}
	return p, err
}

// company returns so many that take turns with others and are not looked at.
func (c *crowd) company(ctx context.Context, v Variant, n int) ([]*process, error) {
	for len(c.others) < n {
		p, err := startChild(ctx, c.cpu, kindLoops, v)
		if err != nil {
			return nil, err
		}
		p.company = true
		c.others = append(c.others, p)
	}
	return c.others[:n], nil
}

func (c *crowd) end() error {
	var errs []error
	for _, p := range slices.AppendSeq(c.others, maps.Values(c.children)) {
		errs = append(errs, p.end())
	}
	return errors.Join(errs...)
}

// errRefused is wrapped by what a child answers that cannot do a scenario.
var errRefused = errors.New("not possible")

// startChild starts a child that enters the variant's state.
func startChild(ctx context.Context, cpu int, kind string, v Variant) (*process, error) {
	state, _ := stateOf(v.State)
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	j := job{Kind: kind, Variant: v, CPU: cpu, Port: port}
	if state.restricts() || state.enter != nil {
		j.Left = max(v.Depth, 1)
	}
	return start(ctx, state, j)
}

func start(ctx context.Context, state State, j job) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	argv, err := arguments(j)
	if err != nil {
		return nil, err
	}
	argv = append(append([]string{}, state.wrap...), append([]string{exe}, argv[1:]...)...)
	p := &process{variant: j.Variant, port: j.Port, cmd: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	// One thread does it all: none interrupts it, and nothing is collected.
	p.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1")
	if j.Kind == kindLoops {
		p.cmd.Env = append(p.cmd.Env, "GOGC=off")
	}
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	// It answers when it is in its state.
	if j.Kind == kindLoops {
		if _, err := p.ask(getppid, 0); err != nil {
			_ = p.end()
			return nil, err
		}
	}
	return p, nil
}

// ask has it do a scenario n times.
func (p *process) ask(scenario string, n int) (time.Duration, error) {
	a, err := p.order(order{scenario, n})
	return time.Duration(a.NS), err
}

func (p *process) order(o order) (answer, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		return answer{}, p.gone(err)
	}
	return p.answer()
}

func (p *process) answer() (answer, error) {
	var a answer
	if err := p.out.Decode(&a); err != nil {
		return answer{}, p.gone(err)
	}
	switch {
	case a.NotHere:
		return a, fmt.Errorf("%w: %s", errRefused, strings.TrimPrefix(a.Err, errNotHere.Error()+": "))
	case a.Err != "":
		return a, fmt.Errorf("%v: %s", p.variant, a.Err)
	}
	return a, nil
}

// gone is the error of a child that ended, with what it said.
func (p *process) gone(err error) error {
	_ = p.in.Close()
	waited := p.cmd.Wait()
	if line, _, _ := strings.Cut(strings.TrimSpace(p.stderr.String()), "\n"); line != "" {
		return errors.New(line)
	}
	return fmt.Errorf("%v: the child ended: %w", p.variant, errors.Join(err, waited))
}

// end ends the child, and fails if it did not end well.
func (p *process) end() error {
	_ = p.in.Close()
	if p.cmd.ProcessState != nil {
		return nil
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%v: %w: %s", p.variant, err, p.stderr.String())
	}
	return nil
}

// freePort returns a TCP port of the loopback that nobody uses now.
func freePort() (uint16, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, fmt.Errorf("find a port: %w", err)
	}
	return uint16(name.(*unix.SockaddrInet4).Port), nil
}
