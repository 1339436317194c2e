// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
)

// childName is argv[0] of a child of a run; the kind of child follows. It is no
// environment variable, which a command could inherit by accident.
const childName = "sockade-conformance-child"

// The kinds of children.
const (
	kindInt80    = "int80"    // makes one i386 call, to see whether it survives
	kindBaseline = "baseline" // fills the table of errnos without a sandbox
	kindConform  = "conform"  // issues the space under one policy
	kindPorts    = "ports"    // issues what is about ports under one policy
)

// Descriptors of a child: the table of errnos, and where the answer goes.
const (
	tableFD  = 3
	answerFD = 4
)

// job is what a conform child is told on standard input.
type job struct {
	Backend string
	Case    Case
	Thin    int
	Seed    uint64
	Entries []string // those that this kernel has
}

// answer is what a child tells. One that ends without an answer has failed.
type answer struct {
	Err     string
	Missing []Missing
	Result  Result
}

// maxDiverged is how many divergences a child lists; it counts all.
const maxDiverged = 20

// Main turns the program into a child of [Run] if it was started as one, and
// then does not return. backends are those that Run may be given.
func Main(backends []engine.Backend) {
	if len(os.Args) != 2 || os.Args[0] != childName {
		return
	}
	var a answer
	if err := childMain(os.Args[1], backends, &a); err != nil {
		a.Err = err.Error()
	}
	if err := json.NewEncoder(os.NewFile(answerFD, "answer")).Encode(a); err != nil {
		fmt.Fprintln(os.Stderr, "conformance child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func childMain(kind string, backends []engine.Backend, a *answer) error {
	runtime.LockOSThread()
	if kind == kindInt80 {
		tryInt80()
		return nil
	}
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	table, err := openTable(kind == kindBaseline)
	if err != nil {
		return fmt.Errorf("map table: %w", err)
	}
	start := time.Now()
	defer func() { a.Result.Seconds = time.Since(start).Seconds() }()
	if kind == kindBaseline {
		return baseline(j, table, a)
	}
	i := slices.IndexFunc(backends, func(b engine.Backend) bool { return b.Name() == j.Backend })
	if i < 0 {
		return fmt.Errorf("BUG(conformance): Main does not know the backend %s", j.Backend)
	}
	if kind == kindPorts {
		return conformPorts(j, backends[i], a)
	}
	return conform(j, backends[i], table, a)
}

// errnos is the table: for every entry, one errno for every request of the space.
type errnos [][]byte

func (t errnos) get(entry, i int) unix.Errno {
	return unix.Errno(binary.NativeEndian.Uint16(t[entry][2*i:]))
}

func (t errnos) set(entry, i int, e unix.Errno) {
	binary.NativeEndian.PutUint16(t[entry][2*i:], uint16(e))
}

func tableBytes() int { return 2 * spaceSize() * len(allEntries()) }

func openTable(write bool) (errnos, error) {
	prot := unix.PROT_READ
	if write {
		prot |= unix.PROT_WRITE
	}
	m, err := unix.Mmap(tableFD, 0, tableBytes(), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return slices.Collect(slices.Chunk(m, 2*spaceSize())), nil
}

// issue sends the entry's share of the space and tells every errno. That there are
// no descriptors left says nothing about a request, and is an error.
func (e entry) issue(thin int, tell func(i int, r request, errno unix.Errno)) (missing string, err error) {
	var m made
	defer m.closeAll()
	var full unix.Errno
	got := func(i int, r request, errno unix.Errno) {
		if errno == unix.EMFILE || errno == unix.ENFILE {
			full = errno
		}
		tell(i, r, errno)
	}
	if e.batch != nil {
		missing, err = e.batch(func(yield func(int, request)) { e.each(thin, yield) }, &m, got)
	} else {
		var call func(request) unix.Errno
		if call, missing = e.setup(&m); missing == "" {
			e.each(thin, func(i int, r request) { got(i, r, call(r)) })
		}
	}
	if err == nil && full != 0 {
		err = fmt.Errorf("%w: allow %d of them (ulimit -n)", full, 2*madeMax)
	}
	return missing, err
}

// baseline records the kernel's own errnos and holds the reference to them
// where the request is malformed.
func baseline(j job, table errnos, a *answer) error {
	afMax, sockMax, exact := sys.SocketLimits(engine.KnownLimits.AFMax, engine.KnownLimits.SockMax)
	if !exact {
		return errors.New("socket(2) does not give the kernel's own errnos, so there is nothing to compare with: an outer sandbox answers it: run it outside")
	}
	reference := newVerdicts(engine.Policy{All: true}, engine.Limits{AFMax: afMax, SockMax: sockMax})
	for n, e := range allEntries() {
		if !slices.Contains(j.Entries, e.name) {
			continue
		}
		// Twice: the first time may load modules, which changes errnos.
		var missing string
		for range 2 {
			var err error
			missing, err = e.issue(j.Thin, func(i int, _ request, errno unix.Errno) { table.set(n, i, errno) })
			if e.batch != nil && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) {
				missing, err = "io_uring is denied here (kernel.io_uring_disabled, an outer sandbox)", nil
			}
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
		}
		if missing != "" {
			a.Missing = append(a.Missing, Missing{e.name, missing})
			continue
		}
		t := tally{entry: e.name, policy: "(no sandbox)"}
		e.each(j.Thin, func(i int, r request) {
			if want := reference.of(r.Request); !want.Allowed {
				t.compare(r, unix.Errno(want.Errno), table.get(n, i))
			}
		})
		a.Result.add(t.result())
	}
	return nil
}

// conform restricts the calling thread and issues the space.
func conform(j job, b engine.Backend, table errnos, a *answer) error {
	support := b.Probe(engine.Trial)
	if !support.Available {
		return fmt.Errorf("%s is not available: %s", b.Name(), support.Reason)
	}
	narrowed := map[string]bool{}
	for _, p := range j.Case.policies() {
		layer, err := b.Prepare(p, support)
		if err != nil {
			return err
		}
		for _, n := range b.Assess(p, support).Narrowings {
			narrowed[n.ID] = true
		}
		if err := layer.Enforce(engine.Thread); err != nil {
			return err
		}
	}
	want := j.Case.want(support.Limits)
	// What a narrowing denies without looking at the triple gets this errno.
	blanket := unix.Errno(j.Case.Policy.DenyErrno.Errno(engine.NoFamily))
	for n, e := range allEntries() {
		if !slices.Contains(j.Entries, e.name) {
			continue
		}
		t := tally{entry: e.name, policy: j.Case.Name}
		closed := e.finding != "" && narrowed[e.finding]
		missing, err := e.issue(j.Thin, func(i int, r request, got unix.Errno) {
			exact := table.get(n, i)
			if v := want(r.Request); !v.Allowed {
				exact = unix.Errno(v.Errno)
			}
			if closed && got != exact && got == blanket {
				t.requests++
				t.narrowed++
				return
			}
			t.compare(r, exact, got)
		})
		if closed && e.batch != nil && errors.Is(err, unix.EPERM) {
			// There is no ring to send anything through: all of it is narrowed.
			e.each(j.Thin, func(int, request) { t.narrowed++ })
			err = nil
		}
		if err != nil {
			return fmt.Errorf("%s under policy %s: %w", e.name, j.Case.Name, err)
		}
		if missing != "" {
			return fmt.Errorf("%s under policy %s: %s, but the baseline had it", e.name, j.Case.Name, missing)
		}
		a.Result.add(t.result())
	}
	return nil
}

// tally counts what one entry gave.
type tally struct {
	entry, policy                          string
	requests, divergences, narrowed, exact int
	list                                   []Divergence
}

func (t *tally) compare(r request, want, got unix.Errno) {
	t.requests++
	if got != want {
		t.diverge(r, errnoName(want), got)
		return
	}
	t.exact++
}

func (t *tally) diverge(r request, want string, got unix.Errno) {
	t.divergences++
	if len(t.list) < maxDiverged {
		t.list = append(t.list, Divergence{Policy: t.policy, Entry: t.entry, Request: r.Request, Upper: r.upper, Want: want, Got: errnoName(got)})
	}
}

func (t *tally) result() Result {
	return Result{
		Requests: t.requests, Divergences: t.divergences, Narrowed: t.narrowed, Diverged: t.list,
		Entries: []EntryResult{{t.entry, t.requests, t.divergences, t.narrowed, t.exact}},
	}
}

func errnoName(e unix.Errno) string {
	if e == 0 {
		return "a socket"
	}
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", int(e))
}
