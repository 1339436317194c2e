// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

// works is what a try returns when it got what it wanted. Everything else that
// it returns is an errno, or refused.
const (
	works   = "works"
	refused = "refused"
)

// sandbox is a try's own view of the policy that it is under: it makes its
// preparations, enters, and then goes for a socket.
type sandbox struct {
	attempt
	way way
	// report and entered are what enter returned, to be told from a try that did
	// not work.
	report  selector.Report
	entered error
	// refusal is what a child of the try was refused with.
	refusal string
}

// attempt is one run of one way in a child process.
type attempt struct {
	Way string
	// Backend is empty in the control run, which has no sandbox.
	Backend string
	// Image is set in the program that a try executes: the way goes on there.
	Image bool
}

// outcome is what a child reports.
type outcome struct {
	// Seen is works, refused or an errno.
	Seen string
	// Refusal is the error that refused to start.
	Refusal string
	// Unseen and Narrowings are the IDs in the report.
	Unseen, Narrowings []string
	// Foreign are the sockets outside the policy that are open in the end.
	Foreign []string
}

// enter restricts the process as the way says, and does nothing in the control run.
func (s *sandbox) enter() error {
	if s.Backend == "" || s.Image {
		return nil
	}
	s.report, s.entered = selector.Restrict(s.way.policy(), s.options())
	return s.entered
}

// exec is enter as "sockade run" does it: a new program in the same process,
// which goes on with the way's image.
func (s *sandbox) exec(path string) error {
	next := s.attempt
	next.Image = true
	env, err := testutil.Env("way", next, testutil.PipeFD())
	if err != nil {
		return err
	}
	argv := []string{os.Args[0]}
	if s.Backend == "" {
		return unix.Exec(path, argv, env)
	}
	plan, err := selector.NewPlan(s.way.policy(), selector.Probe(engine.Inquiry), s.options())
	if err != nil {
		plan, err = selector.NewPlan(s.way.policy(), selector.Probe(engine.Trial), s.options())
	}
	if err != nil {
		return err
	}
	s.entered = plan.Exec(path, argv, env)
	return s.entered
}

// image runs the way's image as a child of this process.
func (s *sandbox) image(c testutil.Child) (string, error) {
	next := s.attempt
	next.Image = true
	c.Name, c.Arg = "way", next
	var o outcome
	err := testutil.Run(c, &o)
	s.refusal = o.Refusal
	return o.Seen, err
}

func (s *sandbox) options() selector.Options {
	return selector.Options{Backends: []string{s.Backend}, BestEffort: s.way.end == gap || s.way.bestEffort || s.Backend == "landlock" && s.way.errno == engine.DenyUnsupported}
}

// runWay is the child function of every attempt.
func runWay(arg []byte) (any, error) {
	var s sandbox
	if err := json.Unmarshal(arg, &s.attempt); err != nil {
		return nil, err
	}
	for _, w := range ways {
		if w.name == s.Way {
			s.way = w
		}
	}
	try := s.way.try
	if s.Image {
		try = s.way.image
	}
	if try == nil {
		return nil, fmt.Errorf("BUG(bypass): no way %q", s.Way)
	}
	runtime.LockOSThread() // what a try does to its thread is meant for the socket call too
	seen, err := try(&s)
	o := outcome{Seen: seen, Refusal: s.refusal}
	for _, f := range s.report.Unseen {
		o.Unseen = append(o.Unseen, f.ID)
	}
	for _, f := range s.report.Narrowings {
		o.Narrowings = append(o.Narrowings, f.ID)
	}
	var foreign *selector.ForeignFDsError
	switch {
	case errors.As(s.entered, &foreign):
		o.Seen, o.Refusal = refused, foreign.Error()
	case err != nil:
		return nil, err
	}
	o.Foreign, err = foreignSockets(s.way.policy())
	return o, err
}

// foreignSockets lists the open sockets that a policy does not allow. It does
// not share code with the selector, which is what it controls.
func foreignSockets(p engine.Policy) ([]string, error) {
	var out []string
	entries, err := os.ReadDir("/proc/thread-self/fd")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		link, _ := os.Readlink("/proc/thread-self/fd/" + e.Name())
		fd, _ := strconv.Atoi(e.Name())
		if !strings.HasPrefix(link, "socket:") {
			continue
		}
		var r engine.Request
		for _, part := range []struct {
			option int
			into   *int32
		}{{unix.SO_DOMAIN, &r.Family}, {unix.SO_TYPE, &r.Type}, {unix.SO_PROTOCOL, &r.Protocol}} {
			v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, part.option)
			if err != nil {
				return nil, err
			}
			*part.into = int32(v)
		}
		if !p.Decide(r, engine.KnownLimits).Allowed {
			out = append(out, fmt.Sprintf("fd %d is %v", fd, r))
		}
	}
	return out, nil
}

// seen is what a try returns for the result of a system call.
func seen(errno unix.Errno) (string, error) {
	if errno == 0 {
		return works, nil
	}
	if name := unix.ErrnoName(errno); name != "" {
		return name, nil
	}
	return fmt.Sprintf("errno %d", errno), nil
}

// seenErr is seen for the error of a wrapper from x/sys/unix or os.
func seenErr(err error) (string, error) {
	var errno unix.Errno
	if err == nil {
		return works, nil
	}
	if errors.As(err, &errno) {
		return seen(errno)
	}
	return "", err
}

// enterThen makes a try of a single step that needs no preparation.
func enterThen(f func() (string, error)) try {
	return func(s *sandbox) (string, error) {
		if err := s.enter(); err != nil {
			return "", err
		}
		return f()
	}
}

// step is an image that goes for a socket in one step.
func step(f func() (string, error)) try {
	return func(*sandbox) (string, error) { return f() }
}

// execImage is a try that leaves all to its image.
func execImage(s *sandbox) (string, error) { return "", s.exec("/proc/self/exe") }

// call makes a step of a system call with the native instruction. The socket
// that it may return stays open, to be found by foreignSockets.
func call(nr, a, b, c uintptr) func() (string, error) {
	return func() (string, error) {
		_, _, errno := unix.RawSyscall(nr, a, b, c)
		return seen(errno)
	}
}

// inetSocket is the step of most ways: a socket that the policy unix denies.
var inetSocket = call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)

// pair makes a step of a socketpair call by its number.
func pair(nr uintptr) func() (string, error) {
	return func() (string, error) {
		sv, err := lowMemory()
		if err != nil {
			return "", err
		}
		_, _, errno := unix.RawSyscall6(nr, unix.AF_UNIX, unix.SOCK_STREAM, 0, sv, 0, 0)
		return seen(errno)
	}
}

// lowMemory returns the address of a page that i386 calls can point to.
func lowMemory() (uintptr, error) {
	_, addr, err := sys.LowMemory()
	return addr, err
}

func policy(allow string) engine.Policy {
	p, err := engine.ParseAllow(engine.SplitRules(allow), nil)
	if err != nil {
		panic("BUG(bypass): " + err.Error())
	}
	return p
}

func TestMain(m *testing.M) {
	children := testutil.Children{
		"way": runWay, "outsider": outsider, "suspends": suspends, "int80": int80Works,
		"io_uring": uringWorks, "hidden ring": hiddenWorks,
	}
	testutil.Main(m, children)
}
