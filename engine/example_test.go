// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"

	"github.com/sockade/sockade/engine"
)

func ExampleParsePolicy() {
	policy, err := engine.ParsePolicy("policy.toml", []byte(`
allow = ["unix", "tcp"]
deny_errno = "unsupported"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy)
	_, err = engine.ParsePolicy("policy.toml", []byte(`allow = ["unix", "inet/strem"]`))
	fmt.Println(err)
	// Output:
	// unix,inet/stream/tcp,inet6/stream/tcp
	// policy.toml:1:18: rule "inet/strem": unknown type "strem"; did you mean "stream"?
}

func ExamplePolicy_Decide() {
	policy, _ := engine.ParseAllow([]string{"unix", "tcp"}, nil)
	for _, r := range []engine.Request{
		{Family: 2, Type: 1 | engine.SockCloexec, Protocol: 0}, // TCP by its other name
		{Family: 2, Type: 1, Protocol: 262},
		{Family: 38, Type: 5},
		{Family: 46, Type: 1},
	} {
		verdict := policy.Decide(r, engine.KnownLimits)
		fmt.Println(r, verdict.Allowed, verdict.Cause)
	}
	// Output:
	// inet/stream|cloexec/0 true a rule allows it
	// inet/stream/mptcp false the family and type are allowed, but not with this protocol
	// alg/seqpacket/0 false no rule names the family
	// 46/stream/0 false this kernel has no such family
}

func ExampleParseAllow() {
	policy, _ := engine.ParseAllow(engine.SplitRules("unix,inet,inet6"), []string{"inet6"})
	fmt.Println(policy)
	_, err := engine.ParseAllow([]string{"all"}, []string{"tcp"})
	fmt.Println(err)
	// Output:
	// unix,inet
	// deny "tcp": a protocol cannot be denied, as others (mptcp, smc) would still reach the same network; list in allow what may be used
}

func ExampleSpec() {
	spec, _ := engine.ParseSpec("policy.toml", []byte(`allow = ["unix"]`))
	spec.Allow = append(spec.Allow, engine.SplitRules("netlink/raw/route")...) // --allow
	policy, _ := spec.Policy()
	fmt.Print(policy.TOML())
	// Output:
	// allow = ["unix", "netlink/raw/route"]
	// deny_errno = "eacces"
	//
	// [fds]
	// inherit = "check"
	// receive = "any"
}

func ExampleIntersect() {
	outer, _ := engine.ParseAllow([]string{"inet", "unix"}, nil)
	inner, _ := engine.ParseAllow([]string{"tcp", "alg"}, nil)
	fmt.Println(engine.Intersect(outer, inner))
	// Output: inet/stream/tcp
}

func ExamplePolicy_Denied() {
	policy, _ := engine.ParseAllow([]string{"unix", "tcp"}, nil)
	fmt.Println(policy.Denied(engine.KnownLimits))
	// Output: inet/dgram/0 true
}
