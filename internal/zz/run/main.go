package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sockade/sockade/internal/guest"
	"github.com/sockade/sockade/internal/guest/job"
)

// run KERNEL CMDLINE CMD[;CMD...]
func main() {
	cache, _ := guest.CacheDir()
	for _, k := range guest.Kernels {
		if !strings.Contains(k.String(), os.Args[1]) {
			continue
		}
		img, err := k.Fetch(context.Background(), cache)
		if err != nil {
			panic(err)
		}
		bb, err := guest.FetchBusybox(context.Background(), cache, k.Arch)
		if err != nil {
			panic(err)
		}
		d := "/tmp/b/" + k.Arch + "/"
		files := guest.Files{"/init": d + "init", "/bin/sockade": d + "sockade", "/bin/sockade-bpf": d + "sockade-bpf", "/bin/busybox": bb}
		if _, err := os.Stat(d + "extra"); err == nil {
			files["/extra"] = d + "extra"
		}
		var steps []job.Step
		for _, c := range strings.Split(os.Args[3], "\n") {
			steps = append(steps, job.Step{Name: c, Argv: []string{"/bin/sh", "-c", c}, Seconds: 400})
		}
		t := time.Now()
		err = guest.Boot(context.Background(), guest.Machine{Arch: k.Arch, Kernel: img, Cmdline: os.Args[2], Timeout: 8 * time.Minute}, files,
			steps, func(r job.Result) {
				fmt.Printf("%s: $ %s: status %d %s %.1fs\n%s%s", k, r.Step.Name, r.Status, r.Error, r.Seconds, r.Stdout, r.Stderr)
			})
		fmt.Println(k, time.Since(t), err)
	}
}
