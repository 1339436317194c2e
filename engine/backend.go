// SPDX-License-Identifier: Apache-2.0

package engine

import "slices"

// Backend enforces policies through one kernel mechanism. What can be decided
// without the kernel is pure; nothing is restricted before Layer.Enforce.
type Backend interface {
	// Name is the word that --backend takes.
	Name() string
	// Probe finds out whether the mechanism works here. It leaves the calling
	// thread and process as they were.
	Probe(Depth) Support
	// Assess tells what the mechanism would and would not enforce of the policy.
	Assess(Policy, Support) Coverage
	// Prepare does all that can fail and be taken back.
	Prepare(Policy, Support) (Layer, error)
}

// Layer is a prepared backend. Until Enforce it restricts nothing.
type Layer interface {
	// Enforce restricts whom the scope says. It is irrevocable.
	Enforce(Scope) error
	// Close releases what Prepare took; what is enforced stays.
	Close() error
}

// Depth says how far a probe goes.
type Depth int

const (
	// Trial proves it by behaviour, in a task that is gone afterwards.
	Trial Depth = iota
	// Inquiry asks the kernel. It takes a tenth of the time and is for a caller
	// that tries at once what it then enforces.
	Inquiry
	// PortInquiry is one for a policy about ports: what the kernel's rules about them do
	// cannot be asked, and is tried.
	PortInquiry
)

// Scope says whom Layer.Enforce restricts.
type Scope int

const (
	// Thread is the calling OS thread, which the caller has locked, and what it
	// starts afterwards.
	Thread Scope = iota
	// Process is all threads of the calling process.
	Process
	// Exec is the program that the calling goroutine executes next: Enforce takes
	// the way that is quicker, and locks the OS thread where it restricts only that.
	Exec
)

// Support is what a probe found: whether the mechanism works here, how that
// was shown, or why it does not.
type Support struct {
	Available bool `json:"available"`
	// Reason says why the backend is not available and what would change that.
	Reason string `json:"reason"`
	// Proof says what was tried and seen.
	Proof    string    `json:"proof"`
	Limits   Limits    `json:"limits"`
	Features []Feature `json:"features,omitempty"`
}

// Feature is an ability of a mechanism on this kernel that changes what a
// backend can cover.
type Feature string

// Features of the kernel that one backend finds and others build on.
const (
	// FastOpen says that the kernel's own rules for ports take a TCP connection by a
	// first message (MSG_FASTOPEN) for one. Before Landlock's correction they do not, and
	// somebody else has to deny it.
	FastOpen Feature = "tcp-fastopen"
	// ByTask says that decisions are by the task that acts, and not by credentials that a
	// request of io_uring may have from before.
	ByTask Feature = "by-task"
)

// Has reports whether the probe saw the feature.
func (s Support) Has(f Feature) bool { return slices.Contains(s.Features, f) }

// Finding is one thing that a plan does not do as the policy says.
type Finding struct {
	ID   string `json:"id"`
	What string `json:"what"`
	Why  string `json:"why"`
	Fix  string `json:"fix"`
}

// IDs of findings that other packages act on.
const (
	FindingCreate     = "create"
	FindingErrno      = "deny-errno"
	FindingSocketcall = "i386-socketcall"
	FindingIOURing    = "io_uring"
	FindingAttach     = "ptrace-attach"
	FindingPorts      = "ports"
	FindingFastOpen   = "tcp-fastopen"
	FindingProcMem    = "proc-mem"
	FindingBefore     = "before"
	FindingReceive    = "fds-receive"
)

// UnseenTraced is what every mechanism that asks at the kernel's own hooks does not see.
var UnseenTraced = Finding{
	ID: FindingProcMem, What: "processes outside that the command traces already, or whose /proc/PID/mem it has open",
	Why: "the kernel asks about power over a process when it is taken",
	Fix: "start the command from a program that traces no other, such as a shell",
}

// Coverage is what one backend does with one policy.
type Coverage struct {
	// Covers names the parts of the policy that are enforced.
	Covers []string
	// Gaps are what the policy denies and the backend would let through.
	Gaps []Finding
	// Narrowings are what the policy allows and the backend denies.
	Narrowings []Finding
	// Unseen are ways to sockets that are no requests of the sandboxed tasks
	// and that the mechanism cannot see, whatever the policy says.
	Unseen []Finding
}
