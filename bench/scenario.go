// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"slices"
	"strings"
)

// Scenario is something that programs do, over and over.
type Scenario struct {
	Name string `json:"name"`
	// What is one operation of it, for readers.
	What string `json:"what"`

	class class
	// rules is how many a policy has at least that allows it.
	rules int
	start func(*child) (loop, error)
}

// fresh tells whether the children of a scenario must have done nothing else: a fork
// costs more in one that has used more memory.
func (s Scenario) fresh() bool { return strings.Contains(s.Name, "fork-") }

// class says what a scenario is compared with, beside the unrestricted state.
type class int

const (
	other  class = iota // no call of it is one that a policy is about
	create              // it asks for sockets that the policy allows
	deny                // it asks for sockets that the policy denies
)

// loop does a number of operations.
type loop func(n int) error

// Names of scenarios that other code picks out.
const (
	socketUnix   = "socket-unix"
	socketRule   = "socket-rule"
	socketDenied = "socket-denied"
	getppid      = "getppid"
	forkExit     = "fork-exit"
	tcpConnect   = "tcp-connect"
	verdict      = "verdict"
)

// Scenarios are all of them, in the order of reports.
func Scenarios() []Scenario {
	return []Scenario{
		{socketUnix, "socket(AF_UNIX, SOCK_STREAM) and close", create, 1, socketClose(afUnix, sockStream, 0)},
		{"socket-inet", "socket(AF_INET, SOCK_STREAM) and close", create, few, socketClose(afInet, sockStream, 0)},
		{socketRule, "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) and close: one rule among all those about protocols", create, few, socketClose(afNetlink, sockRaw, 0)},
		{socketDenied, "socket(AF_UNIX, SOCK_STREAM, 99), which the policy denies, and which fails without it too", deny, 1, socketFails(afUnix, sockStream, deniedProtocol)},
		{"socket-malformed", "socket(AF_UNIX, 15), which no kernel knows", create, 1, socketFails(afUnix, 15, 0)},
		{verdict, "socket(AF_UNIX, SOCK_STREAM, 1), which the policy allows and a BPF program behind it denies: no socket is made, so that it is exact (in guests)", create, 1, socketFails(afUnix, sockStream, 1)},
		{"socketpair", "socketpair(AF_UNIX, SOCK_STREAM) and two close", create, 1, socketPair},
		{"uring-socket", "IORING_OP_SOCKET of AF_UNIX and close", create, 1, ringSocket},
		{getppid, "getppid, which has nothing to do with sockets", other, 1, unrelated},
		{"pipe", "write of 1 byte to a pipe and read of it", other, 1, pipe},
		{"udp", "UDP ping-pong over loopback: two sendto and two recvfrom", other, few, pingPong},
		{tcpConnect, "TCP over loopback: socket, connect, accept and two close", create, few, connectAccept},
		{forkExit, "fork, exit and wait", other, 1, forkWait},
		{"vfork-exit", "vfork, exit and wait: the least that a new task costs", other, 1, vforkWait},
		{"fork-exec", "vfork, exec of a program of 130 bytes, and wait", other, 1, spawnWait},
	}
}

// few is how many rules the smallest policy has that allows what all scenarios need.
const few = 8

// RuleCounts and Depths are what states are measured with.
var (
	RuleCounts = []int{1, few, 64, 500}
	Depths     = []int{1, 4, 16}
)

// find returns the scenario of that name.
func find(name string) (Scenario, bool) {
	all := Scenarios()
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return all[i], true
}

// sweeps tells whether a scenario is measured with other numbers of rules, and of
// sandboxes in one another, than the usual ones.
func sweeps(name string) (rules, depth bool) {
	switch name {
	case socketUnix, socketDenied:
		return true, true
	case socketRule, verdict:
		return true, name == verdict
	case getppid:
		return true, true
	case forkExit:
		return false, true
	}
	return false, false
}
