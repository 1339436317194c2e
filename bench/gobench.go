// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// WriteGo writes the samples as package testing writes benchmarks, one line each, which
// benchstat reads:
//
//	BenchmarkSocketUnix/state=seccomp/rules=8/depth=1 956 1234 ns/op
func (r *Report) WriteGo(w io.Writer) error {
	out := benchfmt.NewWriter(w)
	config := func(key, value string) benchfmt.Config {
		return benchfmt.Config{Key: key, Value: []byte(value), File: true}
	}
	for _, f := range r.Figures {
		name := fmt.Sprintf("%s/state=%s", camel(f.Scenario), f.State)
		if f.Rules > 0 {
			name += fmt.Sprintf("/rules=%d", f.Rules)
		}
		if f.Depth > 0 {
			name += fmt.Sprintf("/depth=%d", f.Depth)
		}
		for _, ns := range f.Samples {
			err := out.Write(&benchfmt.Result{
				Config: []benchfmt.Config{
					config("goos", "linux"), config("goarch", r.Environment.Machine), config("pkg", "github.com/sockade/sockade/bench"),
					config("cpu", r.Environment.CPU), config("kernel", r.Environment.Kernel),
				},
				Name: benchfmt.Name(name), Iters: f.N,
				Values: []benchfmt.Value{{Value: ns * 1e-9, Unit: "sec/op", OrigValue: ns, OrigUnit: "ns/op"}},
			})
			if err != nil {
				return fmt.Errorf("write benchmarks: %w", err)
			}
		}
	}
	return nil
}

// camel makes SocketUnix of socket-unix.
func camel(name string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
