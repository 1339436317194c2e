// SPDX-License-Identifier: Apache-2.0

// Command guests runs the tests on other kernels and prints one table.
//
//	go run ./internal/guest/guests                          # all of them
//	go run ./internal/guest/guests -kernel 5.10 -run TestBypass
//	go run ./internal/guest/guests -image ./vmlinuz         # a kernel of your own
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/sockade/sockade/internal/guest"
	"github.com/sockade/sockade/internal/testutil"
)

func main() {
	var o options
	flag.StringVar(&o.kernel, "kernel", "", "only kernels whose name has `TEXT` in it, such as 7.3 or arm64")
	flag.StringVar(&o.image, "image", "", "a kernel image in `FILE` in place of Debian's")
	flag.StringVar(&o.arch, "arch", "amd64", "the architecture of -image: `GOARCH`")
	flag.StringVar(&o.run, "run", "", "only tests that match `REGEXP`, as for go test, and no verify")
	flag.IntVar(&o.jobs, "jobs", max(1, runtime.NumCPU()), "run `N` guests at once")
	flag.StringVar(&o.cache, "cache", "", "keep kernels in `DIR` (default sockade-guests in the user's cache directory)")
	flag.BoolVar(&o.verbose, "v", false, "print what the tests print")
	flag.Parse()
	failed, err := o.all(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "guests:", err)
		os.Exit(1)
	}
	if failed {
		os.Exit(1)
	}
}

type options struct {
	kernel, image, arch, run, cache string
	jobs                            int
	verbose                         bool
}

// all boots every kernel and tells whether anything failed.
func (o options) all(ctx context.Context) (failed bool, err error) {
	if o.cache == "" {
		if o.cache, err = guest.CacheDir(); err != nil {
			return false, err
		}
	}
	if o.cache, err = filepath.Abs(o.cache); err != nil {
		return false, err
	}
	machines, err := o.machines(ctx)
	if err != nil {
		return false, err
	}
	tools, err := os.MkdirTemp("", "sockade-guests-")
	if err != nil {
		return false, err
	}
	defer func() { _ = os.RemoveAll(tools) }()
	files := map[string]guest.Files{}
	for _, m := range machines {
		if files[m.Arch] == nil {
			if files[m.Arch], err = build(ctx, o.cache, filepath.Join(tools, m.Arch), m.Arch); err != nil {
				return false, err
			}
		}
	}
	rows := make([]row, len(machines))
	slots := make(chan struct{}, o.jobs)
	var wg sync.WaitGroup
	for i, m := range machines {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			rows[i] = o.boot(ctx, m, files[m.Arch])
		})
	}
	wg.Wait()
	return printRows(rows), nil
}

// machine is a guest with a name for the table.
type machine struct {
	guest.Machine
	name string
}

// machines fetches the kernels. What cannot be had here is one line and no error.
func (o options) machines(ctx context.Context) ([]machine, error) {
	if o.image != "" {
		return []machine{{guest.Machine{Arch: o.arch, Kernel: o.image}, filepath.Base(o.image)}}, nil
	}
	if err := os.MkdirAll(o.cache, 0o755); err != nil {
		return nil, err
	}
	var out []machine
	for _, k := range guest.Kernels {
		if !strings.Contains(k.String(), o.kernel) {
			continue
		}
		if program, missing, fix := guest.QEMU(k.Arch); missing != "" {
			skip("kernel "+k.String(), program+" is "+missing, fix)
			continue
		}
		fmt.Fprintln(os.Stderr, "fetch", k)
		image, err := k.Fetch(ctx, o.cache)
		switch {
		case errors.Is(err, guest.ErrMissing):
			skip("kernel "+k.String(), err.Error(), "give a kernel with -image")
		case err != nil:
			return nil, fmt.Errorf("kernel %s: %w", k, err)
		default:
			out = append(out, machine{guest.Machine{Arch: k.Arch, Kernel: image}, k.String()})
		}
	}
	return out, nil
}

func skip(what, why, fix string) {
	line, err := testutil.Skip(what, why, fix)
	fmt.Println(line)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guests: record a skip:", err)
	}
}
