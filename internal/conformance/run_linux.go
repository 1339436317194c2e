// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
)

// Run holds every backend to the reference. Divergences are in the report; an
// error means that the run could not be made.
func Run(ctx context.Context, c Config) (Report, error) {
	c = c.withDefaults()
	report := Report{Kernel: kernelRelease(), Seed: c.Seed, Backends: []Result{}, Missing: []Missing{}}
	table, err := newTable()
	if err != nil {
		return report, fmt.Errorf("conformance: create table: %w: it takes a descriptor (ulimit -n) and %d MiB (ulimit -f)", err, tableBytes()>>20)
	}
	defer table.Close()

	entries, err := entriesHere(ctx, c, &report)
	if err != nil {
		return report, err
	}
	base, err := c.child(ctx, kindBaseline, table, job{Thin: c.Thin, Entries: entries})
	if err != nil {
		return report, err
	}
	report.Reference = base.Result
	report.Reference.Name = "reference"
	report.Missing = append(report.Missing, base.Missing...)
	for _, m := range base.Missing {
		entries = slices.DeleteFunc(entries, func(name string) bool { return name == m.Name })
	}
	err = c.runBackends(ctx, table, entries, &report)
	return report, err
}

// newTable makes the memory that the children share.
func newTable() (*os.File, error) {
	fd, err := unix.MemfdCreate("sockade-conformance", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	table := os.NewFile(uintptr(fd), "table")
	if err := table.Truncate(int64(tableBytes())); err != nil {
		return nil, errors.Join(err, table.Close())
	}
	return table, nil
}

func (c Config) withDefaults() Config {
	if c.Cases == nil {
		c.Cases, c.PortCases = Cases(c.Seed), portCases(c.Seed)
	}
	c.Thin = max(c.Thin, 1)
	if c.Jobs == 0 {
		c.Jobs = runtime.NumCPU()
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Minute
	}
	return c
}

// entriesHere lists the entries to try. A child without int 0x80 faults; one that
// ends in another way, or does not start, tells nothing.
func entriesHere(ctx context.Context, c Config, report *Report) (out []string, err error) {
	_, err = c.child(ctx, kindInt80, nil, job{})
	var ended *exec.ExitError
	faulted := errors.As(err, &ended) && ended.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL
	if err != nil && !faulted {
		return nil, err
	}
	for _, e := range allEntries() {
		if faulted && needsInt80(e.name) {
			report.Missing = append(report.Missing, Missing{e.name, "this kernel has no i386 system calls (CONFIG_IA32_EMULATION, ia32_emulation=1)"})
			continue
		}
		out = append(out, e.name)
	}
	return out, nil
}

// runBackends runs one child for each backend and case, some at a time.
func (c Config) runBackends(ctx context.Context, table *os.File, entries []string, report *Report) error {
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		first error
		done  int
		slots = make(chan struct{}, c.Jobs)
		total int
	)
	report.Backends = make([]Result, len(c.Backends))
	for n, b := range c.Backends {
		result := &report.Backends[n]
		*result = Result{Name: b.Name(), Entries: []EntryResult{}, Diverged: []Divergence{}, Skipped: []Missing{}}
		for _, k := range c.cases(b, result) {
			total++
			wg.Add(1)
			go func() {
				defer wg.Done()
				slots <- struct{}{}
				defer func() { <-slots }()
				a, err := c.child(ctx, k.kind, table, job{b.Name(), k.Case, c.Thin, c.Seed, entries})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, errNoNamespace):
					result.Skipped = append(result.Skipped, Missing{k.Name, err.Error()})
				case err != nil && first == nil:
					first = err
				case err == nil:
					result.add(a.Result)
				}
				if done++; c.Progress != nil {
					c.Progress(done, total)
				}
			}()
		}
	}
	wg.Wait()
	return first
}

// kindCase is a policy and the kind of child that issues requests under it.
type kindCase struct {
	Case
	kind string
}

// cases are those that the backend can take; the others are in the result.
func (c Config) cases(b engine.Backend, result *Result) (out []kindCase) {
	support := b.Probe(engine.Trial)
	add := func(kind string, k Case, why string) {
		if why != "" {
			result.Skipped = append(result.Skipped, Missing{k.Name, why})
			return
		}
		out = append(out, kindCase{k, kind})
	}
	if why := cannot(b, support, engine.Policy{}); why != "" {
		result.Skipped = append(result.Skipped, Missing{"(all about sockets)", why})
	} else {
		for _, k := range c.Cases {
			why := ""
			for _, p := range k.policies() {
				why = cmp.Or(why, cannot(b, support, p))
			}
			if why == engine.FindingErrno { // with the errno that it knows
				k, why = k.withEACCES(), ""
			}
			add(kindConform, k, why)
		}
	}
	all := engine.Policy{All: true, Ports: engine.Ports{ConnectTCP: engine.PortSet{}}}
	if why, _ := portGaps(b, support, Case{Policy: all}); why == "" {
		for _, k := range c.PortCases {
			why, _ := portGaps(b, support, k)
			add(kindPorts, k, why)
		}
	}
	return out
}

// cannot tells why a backend cannot take a policy about sockets, FindingErrno if it is
// just for the errno.
func cannot(b engine.Backend, s engine.Support, p engine.Policy) (why string) {
	for _, g := range b.Assess(p, s).Gaps {
		switch g.ID {
		case engine.FindingCreate:
			return g.Why
		case engine.FindingErrno:
			why = g.ID
		}
	}
	return why
}

// errNoNamespace is a child that could not get a network namespace of its own.
var errNoNamespace = errors.New("a network namespace of its own is denied here: run it as root, or allow user namespaces")

// childTakes is what to look at where a child cannot be started.
const childTakes = "a child takes /proc, /dev/null and a dozen free descriptors (ulimit -n)"

// child runs this program again as a child and returns its answer. One that is
// killed, that is silent, or that reports an error is an error.
func (c Config) child(ctx context.Context, kind string, table *os.File, j job) (answer, error) {
	name := strings.TrimSpace(fmt.Sprintf("conformance child %s %s %s", kind, j.Backend, j.Case.Name))
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r, w, err := os.Pipe()
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w: %s", name, err, childTakes)
	}
	defer r.Close()
	text, err := json.Marshal(j)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", name, err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	if kind == kindPorts {
		cmd.SysProcAttr = ownNetwork()
	}
	cmd.Args = []string{childName, kind}
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &stderr
	cmd.ExtraFiles = []*os.File{table, w}
	if table == nil {
		cmd.ExtraFiles[0] = w
	}
	err = cmd.Start()
	_ = w.Close()
	if kind == kindPorts && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL)) {
		return answer{}, errNoNamespace
	}
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w: %s", name, err, childTakes)
	}
	var a answer
	readErr := json.NewDecoder(r).Decode(&a)
	if err := cmd.Wait(); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		return a, fmt.Errorf("%s: %w: %s", name, err, line)
	}
	switch {
	case readErr != nil:
		return a, fmt.Errorf("%s: ended without an answer: %w", name, readErr)
	case a.Err != "":
		return a, fmt.Errorf("%s: %s", name, a.Err)
	}
	return a, nil
}

// ownNetwork has a child in a network namespace of its own, where it is root.
func ownNetwork() *syscall.SysProcAttr {
	if unix.Geteuid() == 0 {
		return &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	}
	return &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: unix.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: unix.Getegid(), Size: 1}},
	}
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
