// SPDX-License-Identifier: Apache-2.0

package landlock

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/conformance"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) {
	conformance.Main([]engine.Backend{New()})
	testutil.Main(m, testutil.Children{"nests": nests, "restricts": restricts, "naive": naive, "stricter": stricter})
}

// need skips where there is no Landlock that is of use.
func need(t *testing.T) engine.Support {
	t.Helper()
	s := New().Probe(engine.Trial)
	testutil.Need(t, "landlock", s.Reason, "boot Linux 6.7 or later with landlock in lsm=")
	return s
}

// denyAll is a policy that Landlock can enforce here, and denied is a call that it denies.
func denyAll(s engine.Support) (p engine.Policy, denied func() unix.Errno) {
	if dialectOf(s) != nil {
		return engine.Policy{}, func() unix.Errno { return sys.TrySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0) }
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	return engine.Policy{All: true, Ports: engine.Ports{BindTCP: engine.PortSet{}}}, func() unix.Errno {
		return sys.Bind(fd, []byte{unix.AF_INET, 15: 0})
	}
}

// TestProbe: both depths agree, and which dialect there is follows from the kernel's
// name alone: none but those of internal/guest/testkernel has any.
func TestProbe(t *testing.T) {
	s := need(t)
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(unix.ByteSliceToString(name.Release[:]), "-sockade-")
	got := ""
	if d := dialectOf(s); d != nil {
		got = d.name
	}
	if got != want {
		t.Errorf("found dialect %q, and the kernel has %q: %s", got, want, s.Proof)
	}
	if want != "" && !strings.Contains(s.Proof, want) {
		t.Errorf("the proof does not name dialect %s: %s", want, s.Proof)
	}
	asked := New().Probe(engine.Inquiry)
	for _, f := range asked.Features {
		if !s.Has(f) {
			t.Errorf("the kernel says that it has %s, and a trial did not find it: %s", f, s.Proof)
		}
	}
	if dialectOf(asked) != dialectOf(s) || rightsOf(asked) != rightsOf(s) {
		t.Errorf("the kernel says %v, and a trial finds %v", asked.Features, s.Features)
	}
	t.Log(s.Proof)
}

// TestNaive: that a ruleset can be made says nothing. On released kernels from 6.12 on the
// words of one dialect or the other are another field, and a task with such a ruleset
// makes sockets as before.
func TestNaive(t *testing.T) {
	s := need(t)
	size, missing := attrSize(), ""
	if dialectOf(s) != nil {
		missing = "this kernel has socket rules"
	} else if size < 24 {
		missing = fmt.Sprintf("struct landlock_ruleset_attr has %d bytes here", size)
	}
	testutil.Need(t, "landlock-scoped", missing, "boot Linux 6.12 or later as released")
	var fooled []string
	testutil.InChild(t, testutil.Child{Name: "naive"}, &fooled)
	if len(fooled) == 0 {
		t.Error("the kernel refuses the rulesets of every dialect: then a simple probe would do, and ours is more than it takes")
	}
	t.Logf("taken by this kernel and without effect on socket(2): %v", fooled)
}

// naive enforces what each dialect would for "no socket" and tells where sockets are made
// all the same. The attributes are as long as the dialect's, as a program has them that
// knows one dialect only.
func naive([]byte) (any, error) {
	fooled := []string{}
	for _, d := range []struct {
		name         string
		size, offset int
	}{{"rfc4", 32, 16}, {"tail", 32, 24}, {"tail", 56, 48}} {
		attr := make([]byte, d.size)
		attr[0] = 1 // LANDLOCK_ACCESS_FS_EXECUTE is handled too, as by most rulesets
		attr[d.offset] = socketCreate
		fd, errno := sys.LandlockRuleset(attr)
		if errno != 0 {
			continue
		}
		calls := append(sys.LandlockCalls(fd, 0), sys.Call{Nr: unix.SYS_SOCKET, Args: [6]uintptr{unix.AF_UNIX, unix.SOCK_STREAM, tryDenied}})
		if err := sys.Elsewhere(calls); err != nil {
			return nil, err
		}
		if calls[1].Errno() == 0 && calls[2].Errno() == unix.EPROTONOSUPPORT {
			fooled = append(fooled, fmt.Sprintf("%s, offset %d of %d bytes", d.name, d.offset, d.size))
		}
	}
	return fooled, nil
}

// TestNested: sixteen domains, one in the other, and a clear word about the next one
// before anything happens.
func TestNested(t *testing.T) {
	need(t)
	testutil.InChild(t, testutil.Child{Name: "nests"}, nil)
}

func nests([]byte) (any, error) {
	runtime.LockOSThread()
	s := New().Probe(engine.Trial)
	p, denied := denyAll(s)
	const most = 16
	for n := range most + 1 {
		l, err := New().Prepare(p, s)
		if n == most {
			if err == nil && runtime.GOARCH != "amd64" { // the trial was on a thread without domains
				err = l.Enforce(engine.Thread)
			}
			if err == nil || !strings.Contains(err.Error(), "16 domains") {
				return nil, fmt.Errorf("domain %d: error %w, which should name the limit", n+1, err)
			}
			break
		}
		if err != nil {
			return nil, fmt.Errorf("domain %d: %w", n+1, err)
		}
		if err := l.Enforce(engine.Thread); err != nil {
			return nil, fmt.Errorf("domain %d: %w", n+1, err)
		}
		if errno := denied(); errno != unix.EACCES {
			return nil, fmt.Errorf("in domain %d a denied call gives %w", n+1, errno)
		}
	}
	return nil, nil
}

// TestStricterThreads: threads that have a domain of their own keep it when the process is
// restricted, also the one that restricts it.
func TestStricterThreads(t *testing.T) {
	need(t)
	testutil.InChild(t, testutil.Child{Name: "stricter"}, nil)
}

func stricter([]byte) (any, error) {
	runtime.LockOSThread()
	s := New().Probe(engine.Trial)
	enforce := func(p engine.Ports, scope engine.Scope) error {
		l, err := New().Prepare(engine.Policy{All: true, Ports: p}, s)
		if err != nil {
			return err
		}
		return errors.Join(l.Enforce(scope), l.Close())
	}
	bind := func() unix.Errno {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			panic(err)
		}
		defer unix.Close(fd)
		return sys.Bind(fd, []byte{unix.AF_INET, 15: 0})
	}
	own := engine.Ports{BindTCP: engine.PortSet{}}
	begun, restricted, got := make(chan error), make(chan bool), make(chan unix.Errno)
	go func() {
		runtime.LockOSThread() // and ends with it
		begun <- enforce(own, engine.Thread)
		<-restricted
		got <- bind()
	}()
	err := errors.Join(<-begun, enforce(own, engine.Thread), enforce(engine.Ports{ConnectTCP: engine.PortSet{}}, engine.Process))
	close(restricted)
	if other, mine := <-got, bind(); err != nil || other != unix.EACCES || mine != unix.EACCES {
		return nil, fmt.Errorf("%w; afterwards the other thread gets %w and the calling one %w", err, other, mine)
	}
	return nil, nil
}

// TestRestrict restricts all threads of a process, and only the calling one.
func TestRestrict(t *testing.T) {
	need(t)
	for _, way := range []string{"process", "thread"} {
		t.Run(way, func(t *testing.T) {
			testutil.InChild(t, testutil.Child{Name: "restricts", Arg: way}, nil)
		})
	}
}

func restricts(arg []byte) (any, error) {
	var way string
	if err := json.Unmarshal(arg, &way); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	s := New().Probe(engine.Trial)
	p, denied := denyAll(s)
	const threads = 8
	begun, entered, results := make(chan bool), make(chan bool), make(chan unix.Errno, threads)
	for range threads {
		go func() {
			runtime.LockOSThread()
			begun <- true
			<-entered
			results <- denied()
		}()
	}
	for range threads {
		<-begun
	}
	l, err := New().Prepare(p, s)
	if err != nil {
		return nil, err
	}
	scope, want := engine.Process, unix.EACCES
	if way == "thread" {
		scope, want = engine.Thread, 0
	}
	if err := l.Enforce(scope); err != nil {
		return nil, err
	}
	close(entered)
	got := map[unix.Errno]int{}
	for range threads {
		got[<-results]++
	}
	others := got[want]
	if want == 0 { // the same socket can be bound once
		others += got[unix.EINVAL]
	}
	if others != threads {
		return nil, fmt.Errorf("other threads got %v, all should have got %w", got, want)
	}
	if errno := denied(); errno != unix.EACCES {
		return nil, fmt.Errorf("the calling thread got %w", errno)
	}
	return nil, l.Close()
}

// TestConformance is "sockade verify" for this backend: sockets where there are rules for
// them, and ports.
func TestConformance(t *testing.T) {
	need(t)
	report, err := conformance.Run(t.Context(), conformance.Config{Backends: []engine.Backend{New()}, Seed: 1, Thin: 3})
	if err != nil {
		t.Fatal(err)
	}
	r := report.Backends[0]
	t.Logf("%d requests, %d divergences, %d narrowed; skipped %v", r.Requests, r.Divergences, r.Narrowed, r.Skipped)
	for _, d := range append(report.Reference.Diverged, r.Diverged...) {
		t.Error(d)
	}
	if report.Divergences() > 0 || r.Narrowed > 0 || r.Requests < 100_000 {
		t.Errorf("%d divergences and %d narrowed in %d requests", report.Divergences(), r.Narrowed, r.Requests)
	}
}

// TestLeaks: neither a probe nor a layer that is closed leaves a file open.
func TestLeaks(t *testing.T) {
	s := need(t)
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	before := count()
	for range 3 {
		New().Probe(engine.Trial)
		New().Probe(engine.Inquiry)
		l, err := New().Prepare(engine.Policy{All: true, Ports: engine.Ports{BindTCP: engine.PortSet{}}}, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d files are open, %d before", after, before)
	}
}
