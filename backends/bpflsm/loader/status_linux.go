// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/bpflsm"
)

// Status is what is loaded of one version.
type Status struct {
	Version string `json:"version"`
	// Current says that it is the version of this program.
	Current bool `json:"current"`
	// Programs are the hooks that have one.
	Programs []string `json:"programs"`
	Domains  []Domain `json:"domains"`
	// Tasks is how many tasks are in domains.
	Tasks int `json:"tasks"`
}

// Domain is one sandbox.
type Domain struct {
	ID string `json:"id"`
	// Around is the id of the domain in which it is, empty if there is none.
	Around string `json:"around,omitempty"`
	// Tasks are those directly in it.
	Tasks int `json:"tasks"`
	// Denials counts the requests that it denied.
	Denials uint64 `json:"denials"`
}

// All returns what is loaded, of every version. Nothing loaded is no error.
func All() ([]Status, error) {
	root, err := bpflsm.LockPins(unix.LOCK_SH)
	if errors.Is(err, os.ErrNotExist) {
		return []Status{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return all()
}

func all() ([]Status, error) {
	entries, err := os.ReadDir(bpflsm.Root)
	if err != nil {
		return nil, err
	}
	out := []Status{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), unfinished) {
			continue
		}
		s, err := status(e.Name())
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", e.Name(), err)
		}
		out = append(out, s)
	}
	return out, nil
}

func status(version string) (Status, error) {
	s := Status{Version: version, Current: version == bpflsm.Version, Programs: []string{}, Domains: []Domain{}}
	dir := filepath.Join(bpflsm.Root, version)
	pins, err := os.ReadDir(dir)
	if err != nil {
		return s, err
	}
	for _, p := range pins {
		switch p.Name() {
		case sockadeMapTasks, sockadeMapDomains, sockadeMapDenials:
		default:
			s.Programs = append(s.Programs, p.Name())
		}
	}
	in := map[uint64]int{}
	err = each(filepath.Join(dir, sockadeMapTasks), func(_ uint64, id *uint64) {
		in[*id]++
		s.Tasks++
	})
	if err != nil {
		return s, err
	}
	err = each(filepath.Join(dir, sockadeMapDomains), func(id uint64, d *sockadeDomain) {
		domain := Domain{ID: fmt.Sprintf("%016x", id), Tasks: in[id], Denials: d.Denials}
		if d.Parent != 0 {
			domain.Around = fmt.Sprintf("%016x", d.Parent)
		}
		s.Domains = append(s.Domains, domain)
	})
	return s, err
}

// each reads a pinned map. What changes meanwhile may be seen or not.
func each[V any](pin string, tell func(key uint64, value *V)) error {
	m, err := ebpf.LoadPinnedMap(pin, &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return explain("read map "+filepath.Base(pin), err)
	}
	defer func() { _ = m.Close() }()
	var key uint64
	value := new(V)
	entries := m.Iterate()
	for entries.Next(&key, value) {
		tell(key, value)
	}
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read map %s: %w", filepath.Base(pin), err)
	}
	return nil
}

// retire removes what loaders that were killed left behind, and other versions without
// domains. The caller has the lock.
func retire() error {
	entries, err := os.ReadDir(bpflsm.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), unfinished) {
			if e.Name() == bpflsm.Version {
				continue
			}
			if s, err := status(e.Name()); err != nil || s.Tasks > 0 || len(s.Domains) > 0 {
				continue // it enforces policies of running tasks, or is not to be read by this version
			}
		}
		if err := remove(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// remove takes the pins of a version away, and with them the programs.
func remove(version string) error {
	dir := filepath.Join(bpflsm.Root, version)
	step("remove " + version)
	// One rename first: a version is whole or it is none.
	if !strings.HasSuffix(dir, unfinished) {
		if err := os.Rename(dir, dir+unfinished); err != nil {
			return fmt.Errorf("unload: %w: a task in a sandbox cannot do that", err)
		}
		dir += unfinished
		step("remove pins")
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("unload: %w", err)
	}
	return nil
}

// InUseError is an unloading that would have taken policies from running tasks.
type InUseError struct{ Domains, Tasks int }

func (e *InUseError) Error() string {
	return fmt.Sprintf("in use by %d sandboxes with %d tasks: end them (sockade bpf status), or let their tasks go on without any policy with --force", e.Domains, e.Tasks)
}

// Unload detaches the programs of all versions. Unless it is forced it refuses while
// there are domains.
func Unload(force bool) error {
	root, err := bpflsm.LockPins(unix.LOCK_EX)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if !force {
		loaded, err := all()
		if err != nil {
			return fmt.Errorf("%w: it may be of another version: unload it by that, or with --force", err)
		}
		used := InUseError{}
		for _, s := range loaded {
			used.Domains += len(s.Domains)
			used.Tasks += s.Tasks
		}
		if used != (InUseError{}) {
			return &used
		}
	}
	entries, err := os.ReadDir(bpflsm.Root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := remove(e.Name()); err != nil {
			return err
		}
	}
	return nil
}
