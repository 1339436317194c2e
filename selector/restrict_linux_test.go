// SPDX-License-Identifier: Apache-2.0

package selector_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/cbpf"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
	"github.com/sockade/sockade/selector"
)

// TestRestrict restricts a process with threads from before, of which the last
// look is taken by every thread itself.
func TestRestrict(t *testing.T) {
	needBackend(t)
	var report selector.Report
	testutil.InChild(t, testutil.Child{Name: "restricts"}, &report)
	if len(report.Layers) == 0 || !strings.Contains(report.Proof, "EACCES") {
		t.Errorf("the report has no layer or no proof: %+v", report)
	}
}

func restricts([]byte) (any, error) {
	const threads = 16
	begun, entered, results := make(chan bool), make(chan bool), make(chan string, threads)
	for range threads {
		go func() {
			runtime.LockOSThread()
			begun <- true
			<-entered
			results <- asked()
		}()
	}
	for range threads {
		<-begun
	}
	report, err := selector.Restrict(onlyUnix, selector.Options{})
	if err != nil {
		return nil, err
	}
	want := locked
	if slices.ContainsFunc(report.Layers, func(l selector.Layer) bool { return l.Backend == "landlock" }) {
		want = lockedByRules
	}
	if err := allThreads(want); err != nil {
		return nil, err
	}
	close(entered)
	for range threads {
		if got := <-results; got != restricted {
			return nil, fmt.Errorf("a thread from before gets %s", got)
		}
	}
	if got := asked(); got != restricted {
		return nil, fmt.Errorf("the calling thread gets %s", got)
	}
	return report, nil
}

// TestRestrictAfterStart restricts a process that has started restricted
// children: the threads they came from must be gone by then, since a thread
// with a filter of its own cannot be synchronised.
func TestRestrictAfterStart(t *testing.T) {
	needBackend(t)
	testutil.InChild(t, testutil.Child{Name: "restricts late"}, nil)
}

func restrictsLate([]byte) (any, error) {
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for range cap(failed) {
		wg.Go(func() {
			if err := startAsks(selector.Options{}); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	if _, err := selector.Restrict(onlyUnix, selector.Options{}); err != nil {
		return nil, err
	}
	_, err := selector.Restrict(engine.Policy{}, selector.Options{}) // narrower, on top
	return nil, err
}

// TestRefusedChangesNothing holds Restrict, Start and Exec to leave the process
// as it was where they refuse.
func TestRefusedChangesNothing(t *testing.T) {
	needBackend(t)
	needNoTrace(t)
	for _, how := range []string{"Restrict", "Start", "Exec"} {
		for _, why := range []string{"gap", "socket", "unavailable"} {
			t.Run(how+"/"+why, func(t *testing.T) {
				testutil.InChild(t, testutil.Child{Name: "is refused", Arg: [2]string{how, why}}, nil)
			})
		}
	}
}

// unavailable is a backend that cannot be had here.
func unavailable() string {
	for _, c := range selector.Probe(engine.Inquiry) {
		if !c.Support.Available {
			return c.Backend.Name()
		}
	}
	return "none such"
}

func isRefused(arg []byte) (any, error) {
	var how [2]string
	if err := json.Unmarshal(arg, &how); err != nil {
		return nil, err
	}
	p, o := onlyUnix, selector.Options{}
	switch how[1] {
	case "gap": // a filter does not see what is received
		p.FDs.Receive, o.Backends = engine.ReceivePolicy, []string{"seccomp"}
	case "socket":
		if _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
			return nil, err
		}
	case "unavailable":
		o.Backends = []string{unavailable()}
	}
	var err error
	switch how[0] {
	case "Restrict":
		_, err = selector.Restrict(p, o)
	case "Start":
		cmd := exec.Command("/proc/self/exe")
		if _, err = selector.Start(p, cmd, o); cmd.Process != nil {
			return nil, errors.New("a process was started")
		}
	case "Exec":
		var plan selector.Plan
		if plan, err = selector.NewPlan(p, selector.Probe(engine.Trial), o); err == nil {
			err = plan.Exec("/proc/self/exe", []string{"x"}, []string{"X=1"})
		}
	}
	if err == nil {
		return nil, errors.New("not refused")
	}
	if strings.Contains(err.Error(), "BUG") || strings.ContainsRune(err.Error(), '\n') {
		return nil, fmt.Errorf("a refusal should be one line and no bug: %w", err)
	}
	if got := asked(); got != free {
		return nil, fmt.Errorf("refused with %w, and now the process gets %s", err, got)
	}
	return nil, allThreads(noTrace)
}

// TestRestrictOtherFilter restricts a process of which one thread has a filter of
// its own: the kernel refuses, and no thread has anything that it had not before,
// not even no_new_privs.
func TestRestrictOtherFilter(t *testing.T) {
	needBackend(t)
	needNoTrace(t)
	testutil.InChild(t, testutil.Child{Name: "is too late"}, nil)
}

func isTooLate([]byte) (any, error) {
	filtered, done := make(chan error), make(chan bool)
	defer close(done)
	tid := ""
	go func() {
		runtime.LockOSThread() // and ends with it
		tid = fmt.Sprint(unix.Gettid())
		filtered <- loadAllowAll()
		<-done
	}()
	if err := <-filtered; err != nil {
		return nil, err
	}
	_, err := selector.Restrict(onlyUnix, selector.Options{Backends: []string{"seccomp"}})
	if err == nil || !strings.Contains(err.Error(), "thread "+tid+" has a different filter") {
		return nil, fmt.Errorf("error %w, which should name thread %s", err, tid)
	}
	if got := asked(); got != free {
		return nil, fmt.Errorf("refused with %w, and now the process gets %s", err, got)
	}
	found, err := traces()
	if err != nil {
		return nil, err
	}
	for thread, state := range found {
		if want := map[bool]string{true: locked, false: noTrace}[thread == tid]; state != want {
			return nil, fmt.Errorf("thread %s is %q, want %q", thread, state, want)
		}
	}
	return nil, nil
}

// loadAllowAll gives the calling thread a filter that changes nothing.
func loadAllowAll() error {
	var b cbpf.Builder
	prog, err := b.Assemble(b.Ret(cbpf.RetAllow))
	if err != nil {
		return err
	}
	return sys.SeccompFilter(prog, 0)
}

// TestRestrictRace opens a socket on another thread at some moment while the
// process restricts itself. Whatever that moment is: where Restrict succeeds no
// socket outside the policy is open.
func TestRestrictRace(t *testing.T) {
	needBackend(t)
	rnd := testutil.Rand(t)
	tries := 200
	if testing.Short() {
		tries = 50
	}
	var wg sync.WaitGroup
	delays := make(chan time.Duration)
	var leaks atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for delay := range delays {
				var leaked bool
				if err := testutil.Run(testutil.Child{Name: "races", Arg: delay}, &leaked); err != nil {
					t.Error(err)
				}
				if leaked {
					leaks.Add(1)
				}
			}
		})
	}
	for range tries {
		delays <- time.Duration(rnd.Int64N(int64(2 * time.Millisecond)))
	}
	close(delays)
	wg.Wait()
	if n := leaks.Load(); n > 0 {
		t.Errorf("in %d of %d tries Restrict succeeds and an inet socket is open", n, tries)
	}
}

func races(arg []byte) (any, error) {
	var delay time.Duration
	if err := json.Unmarshal(arg, &delay); err != nil {
		return nil, err
	}
	begun, opened := make(chan bool), make(chan bool)
	go func() {
		runtime.LockOSThread()
		begun <- true
		for start := time.Now(); time.Since(start) < delay; { // a sleep would be too coarse
		}
		_, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		opened <- err == nil
	}()
	<-begun
	_, err := selector.Restrict(onlyUnix, selector.Options{})
	return <-opened && err == nil, nil
}

// TestProbeLeavesNoTrace probes over and over from many goroutines.
func TestProbeLeavesNoTrace(t *testing.T) {
	needNoTrace(t)
	testutil.InChild(t, testutil.Child{Name: "probes"}, nil)
}

func probes([]byte) (any, error) {
	selector.Probe(engine.Trial) // a helper may start the runtime's poller, which stays
	before := openFiles()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2 {
				selector.Probe(engine.Trial)
			}
		})
	}
	wg.Wait()
	if after := openFiles(); after != before {
		return nil, fmt.Errorf("%d files are open after the probes, %d before", after, before)
	}
	if got := asked(); got != free {
		return nil, fmt.Errorf("after the probes the process gets %s", got)
	}
	return nil, allThreads(noTrace)
}

func openFiles() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
