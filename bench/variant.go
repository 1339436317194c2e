// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"strings"
)

// Variant is a state to measure in.
type Variant struct {
	// State is the name of one of [States].
	State string `json:"state"`
	// Rules is how many its policy has, 0 where the state has none.
	Rules int `json:"rules,omitempty"`
	// Depth is how many such sandboxes are one in the other.
	Depth int `json:"depth,omitempty"`
}

// String returns seccomp, seccomp/rules=64 or seccomp/rules=8/depth=4.
func (v Variant) String() string {
	text := v.State
	if v.Rules > 0 {
		text += fmt.Sprintf("/rules=%d", v.Rules)
	}
	if v.Depth > 1 {
		text += fmt.Sprintf("/depth=%d", v.Depth)
	}
	return text
}

// State is a way to be, or not to be, in a sandbox.
type State struct {
	Name string `json:"name"`
	What string `json:"what"`

	// world is what is attached to the whole machine meanwhile.
	world world
	// backends make the sandbox; auto leaves the choice to the selector.
	backends []string
	auto     bool
	// floor names the state that costs least by the same mechanism, for scenarios of a
	// class; empty where there is none to compare with.
	floor [3]string
	// enter puts the calling thread into a state that is not the selector's.
	enter func() error
	// missing says why it is not in this build; empty where it is.
	missing string
	// wrap is a command that runs the child in a sandbox of its own.
	wrap []string
	// ports says that its policy is about ports, and not about sockets.
	ports bool
	// deep says that one can be in another.
	deep bool
	// maxDepth bounds that; 0 is no bound of its own.
	maxDepth int
}

// world is what BPF programs are attached, which the whole machine feels.
type world int

const (
	plain     world = iota // none of ours
	emptyBPF               // programs that return at once, on the hooks of ours
	loadedBPF              // those of the backend bpflsm
	// The same two, with one on socket_create that is asked after them and denies what
	// the scenario verdict asks for.
	emptyDenier
	loadedDenier
)

// worldOf is the world of a scenario in the state.
func (s State) worldOf(what Scenario) world {
	if what.Name == verdict {
		return s.world + emptyDenier - emptyBPF
	}
	return s.world
}

// Names of states that other code picks out.
const (
	None          = "none"
	Seccomp       = "seccomp"
	Libseccomp    = "libseccomp"
	Landlock      = "landlock"
	BPFLSM        = "bpflsm"
	BPFElse       = "bpflsm-unsandboxed"
	LandlockPorts = "landlock-ports"

	floorAllow    = "floor-allow"
	floorArgument = "floor-argument"
	floorDeny     = "floor-deny"
	floorLandlock = "floor-landlock"
	floorBPF      = "floor-bpflsm"
)

var seccompFloor = [3]string{other: floorAllow, create: floorArgument, deny: floorDeny}

func always(name string) [3]string { return [3]string{name, name, name} }

// States are all of them, in the order of reports. Those that begin with floor are what
// others are compared with.
func States() []State {
	return append([]State{
		{Name: None, What: "no sandbox"},
		{Name: floorAllow, What: "a seccomp filter of one instruction, that allows all", enter: loadFloor(floorAllow), deep: true},
		{Name: floorArgument, What: "a seccomp filter that reads an argument and allows all", enter: loadFloor(floorArgument), deep: true},
		{Name: floorDeny, What: "a seccomp filter that reads an argument and denies one value of it", enter: loadFloor(floorDeny), deep: true},
		{Name: Seccomp, What: "Sockade by seccomp", backends: []string{"seccomp"}, floor: seccompFloor, deep: true},
		{Name: Libseccomp, What: "Sockade by seccomp, with a filter that libseccomp compiles", backends: []string{"libseccomp"}, floor: seccompFloor, deep: true},
		{Name: floorLandlock, What: "a Landlock domain that is about block devices", enter: enterLandlock, deep: true, maxDepth: 16},
		{Name: Landlock, What: "Sockade by native Landlock rules", backends: []string{"landlock"}, floor: always(floorLandlock), deep: true, maxDepth: 16},
		{Name: LandlockPorts, What: "Sockade by Landlock, ports only", backends: []string{"landlock"}, floor: always(floorLandlock), ports: true, deep: true, maxDepth: 16},
		{Name: floorBPF, What: "BPF programs on the same hooks that return at once", world: emptyBPF},
		{Name: BPFElse, What: "the programs of Sockade by BPF-LSM, loaded for somebody else", world: loadedBPF, floor: always(floorBPF)},
		{Name: BPFLSM, What: "Sockade by BPF-LSM", world: loadedBPF, backends: []string{"bpflsm"}, floor: always(floorBPF), deep: true, maxDepth: 16},
		{Name: "auto", What: "what the selector layers for sockets", auto: true, deep: true},
		{Name: "auto-ports", What: "what the selector layers for sockets and ports", auto: true, ports: true, deep: true},
	}, peers()...)
}

func stateOf(name string) (State, bool) {
	for _, s := range States() {
		if s.Name == name {
			return s, true
		}
	}
	return State{}, false
}

// worldOf is the world in which the scenario is measured in this variant.
func (v Variant) worldOf(what Scenario) world {
	s, _ := stateOf(v.State)
	return s.worldOf(what)
}

// isFloor tells whether a state is there for others to be compared with.
func isFloor(name string) bool { return strings.HasPrefix(name, "floor-") }

// restricts tells whether the state has a policy.
func (s State) restricts() bool { return len(s.backends) > 0 || s.auto }

// denies tells whether it denies a request with EACCES that the kernel would refuse anyway.
func (s State) denies() bool {
	return s.Name == floorDeny || s.restricts() && (!s.ports || s.auto)
}

// floorOf returns the variant that v is compared with in the scenario; false for none.
func (v Variant) floorOf(s Scenario) (Variant, bool) {
	state, _ := stateOf(v.State)
	name := state.floor[s.class]
	if name == "" {
		return Variant{}, false
	}
	floor, _ := stateOf(name)
	if s.class == deny && state.denies() != floor.denies() {
		return Variant{}, false // one of them answers, and the other asks the kernel
	}
	depth := 0
	if floor.deep {
		depth = max(v.Depth, 1)
	}
	return Variant{State: name, Depth: depth}, true
}
