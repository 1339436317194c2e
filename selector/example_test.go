// SPDX-License-Identifier: Apache-2.0

//go:build linux

package selector_test

import (
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// A program locks itself down once it has all that it needs. This cannot be
// taken back, so the example only compiles.
func ExampleRestrict() {
	policy, err := engine.ParseAllow([]string{"unix", "tcp"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	report, err := selector.Restrict(policy, selector.Options{})
	if err != nil {
		log.Fatal(err) // nothing is restricted
	}
	for _, layer := range report.Layers {
		fmt.Println(layer.Backend, "enforces", layer.Covers)
	}
	fmt.Println("shown by:", report.Proof)
}

// A program starts a child without any network and keeps its own.
func ExampleStart() {
	policy, err := engine.ParseAllow([]string{"unix"}, nil)
	if err != nil {
		log.Fatal(err)
	}
	cmd := exec.Command("echo", "no network in here")
	cmd.Stdout = os.Stdout
	report, err := selector.Start(policy, cmd, selector.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Proof)
	// Output:
	// no network in here
	// socket inet/dgram/0 fails with EACCES
}

// What would be done on this machine can be looked at first.
func ExampleNewPlan() {
	policy, err := engine.ParseAllow([]string{"all"}, []string{"alg"})
	if err != nil {
		log.Fatal(err)
	}
	plan, err := selector.NewPlan(policy, selector.Probe(engine.Trial), selector.Options{Exact: true})
	if err != nil {
		fmt.Println("would not start:", err)
	}
	for _, n := range plan.Narrowings {
		fmt.Println("denied although allowed:", n.What)
	}
}
