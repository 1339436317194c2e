// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/bpflsm"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

// TestKilledLoader: whatever step it is killed at, the next one gets everything in place.
func TestKilledLoader(t *testing.T) {
	fresh(t)
	var steps []string
	step = func(name string) { steps = append(steps, name) }
	err := Load()
	step = func(string) {}
	if err != nil {
		t.Fatal(err)
	}
	if want := 2*len(hooks(t)) + 9; len(steps) < want {
		t.Fatalf("%d steps (%s), which should be %d at least", len(steps), strings.Join(steps, ", "), want)
	}
	for n, name := range steps {
		if testing.Short() && n%4 != 0 && n < len(steps)-2 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			unload(t)
			err := testutil.Run(testutil.Child{Name: "load until", Arg: n}, nil)
			if err == nil || !strings.Contains(err.Error(), "signal: killed") {
				t.Fatalf("the loader was not killed: %v", err)
			}
			checkEnforced(t)
		})
	}
}

// TestKilledUnloader: a version is whole, or it is of no effect.
func TestKilledUnloader(t *testing.T) {
	fresh(t)
	for n := range 2 { // before and after the rename
		if err := Load(); err != nil {
			t.Fatal(err)
		}
		err := testutil.Run(testutil.Child{Name: "unload until", Arg: n}, nil)
		if err == nil || !strings.Contains(err.Error(), "signal: killed") {
			t.Fatalf("the unloader was not killed at step %d: %v", n, err)
		}
		checkEnforced(t)
		unload(t)
	}
}

// TestKilledInside: a process that is killed when it has entered leaves nothing.
func TestKilledInside(t *testing.T) {
	fresh(t)
	if err := testutil.Run(testutil.Child{Name: "killed"}, nil); err == nil || !strings.Contains(err.Error(), "signal: killed") {
		t.Fatalf("the child was not killed: %v", err)
	}
	waitEmpty(t)
}

func killedInside([]byte) (any, error) {
	if err := enter(); err != nil {
		return nil, err
	}
	return nil, unix.Kill(os.Getpid(), unix.SIGKILL)
}

// TestConcurrent: many first runs at once have the programs loaded once.
func TestConcurrent(t *testing.T) {
	fresh(t)
	const runs = 50
	got := make([]string, runs)
	var wg sync.WaitGroup
	for i := range runs {
		wg.Go(func() {
			if err := testutil.Run(testutil.Child{Name: "enter", Timeout: 3 * time.Minute}, &got[i]); err != nil {
				got[i] = err.Error()
			}
		})
	}
	wg.Wait()
	for i, g := range got {
		if g != "EACCES" {
			t.Errorf("run %d: %s, want EACCES", i, g)
		}
	}
	checkEnforced(t)
}

// TestUnload refuses while a sandbox lives, and tells what force would do by doing it.
func TestUnload(t *testing.T) {
	fresh(t)
	got := inside(t, "stay", func() {
		var inUse *InUseError
		if err := Unload(false); !errors.As(err, &inUse) || inUse.Domains != 1 || inUse.Tasks == 0 {
			t.Errorf("unload gives %v", err)
		}
		checkEnforced(t)
	})
	if want := []string{"EACCES", "EACCES"}; !slices.Equal(got, want) {
		t.Errorf("the sandbox saw %v, want %v", got, want)
	}
	got = inside(t, "stay", func() {
		if err := Unload(true); err != nil {
			t.Fatal(err)
		}
		waitDetached(t)
	})
	if want := []string{"EACCES", "a socket"}; !slices.Equal(got, want) {
		t.Errorf("forced, the sandbox saw %v, want %v", got, want)
	}
}

// waitDetached waits until the kernel has no such program any more, which it does later.
func waitDetached(t *testing.T) {
	t.Helper()
	there := func() bool {
		for id := ebpf.ProgramID(0); ; {
			next, err := ebpf.ProgramGetNextID(id)
			if err != nil {
				return false
			}
			id = next
			p, err := ebpf.NewProgramFromID(id)
			if err != nil {
				continue
			}
			info, err := p.Info()
			_ = p.Close()
			if err == nil && info.Name == sockadeProgSocketCreate {
				return true
			}
		}
	}
	for range 500 {
		if !there() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the programs are still there")
}

// TestUpgrade: tasks of another version keep their policy while this one takes over, and
// when they are gone so are its programs.
func TestUpgrade(t *testing.T) {
	fresh(t)
	root, err := lockRoot()
	if err != nil {
		t.Fatal(err)
	}
	p, err := load(bpflsm.Magic(otherVersion))
	if err != nil {
		t.Fatal(err)
	}
	err = p.pin(filepath.Join(bpflsm.Root, otherVersion))
	p.close()
	if err := errors.Join(err, root.Close()); err != nil {
		t.Fatal(err)
	}
	denied := "no UNIX socket: permission denied"
	got := inside(t, "old", func() {
		var got string
		testutil.InChild(t, testutil.Child{Name: "enter"}, &got)
		if got != "EACCES" {
			t.Errorf("in a sandbox of this version: %s", got)
		}
		loaded, err := All()
		if err != nil || len(loaded) != 2 {
			t.Errorf("loaded is %+v, %v; want two versions", loaded, err)
		}
	})
	if want := []string{denied, denied}; !slices.Equal(got, want) {
		t.Errorf("the sandbox of the other version saw %q, want %q", got, want)
	}
	// It goes with the next version that is loaded: unload this one and load it again.
	waitEmpty(t)
	root, err = lockRoot()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(remove(bpflsm.Version), root.Close()); err != nil {
		t.Fatal(err)
	}
	checkEnforced(t)
}

// TestNested: 16 sandboxes, one in the other, are the most.
func TestNested(t *testing.T) {
	fresh(t)
	var got []string
	testutil.InChild(t, testutil.Child{Name: "nest"}, &got)
	if len(got) != 17 || got[16] == "" || !strings.Contains(got[16], "16 sandboxes, one in the other, are the most") {
		t.Fatalf("nesting gives %q", got)
	}
	for depth, g := range got[:16] {
		if g != "EACCES" {
			t.Errorf("depth %d: %s, want EACCES", depth+1, g)
		}
	}
}

func nest([]byte) (any, error) {
	var got []string
	for {
		if err := enter(); err != nil {
			return append(got, err.Error()), nil
		}
		got = append(got, inet())
		if len(got) > 20 {
			return got, nil
		}
	}
}

// TestFullMap: where the kernel has no room for another task the fork fails, and nothing
// escapes.
func TestFullMap(t *testing.T) {
	fresh(t)
	adjust = func(s *ebpf.CollectionSpec) { s.Maps[sockadeMapTasks].MaxEntries = 32 }
	err := Load()
	adjust = func(*ebpf.CollectionSpec) {}
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]int
	testutil.InChild(t, testutil.Child{Name: "spread"}, &got)
	if got["EACCES"] == 0 || got["fork: EAGAIN"] == 0 || len(got) != 2 {
		t.Errorf("children of a sandbox got %v, want EACCES and, of those too many, EAGAIN from fork", got)
	}
}

// spread forks children that all stay, and counts what they get.
func spread([]byte) (any, error) {
	if err := enter(); err != nil {
		return nil, err
	}
	got := map[string]int{}
	var pids []int
	for range 100 {
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			got["fork: "+unix.ErrnoName(errno)]++
			continue
		}
		if pid == 0 {
			_, _, errno := unix.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)
			for {
				// Stays until it is killed; its answer is what it is stopped by.
				if errno == unix.EACCES {
					unix.RawSyscall(unix.SYS_KILL, rawPid(), uintptr(unix.SIGSTOP), 0)
				}
				unix.RawSyscall(unix.SYS_EXIT, 1, 0, 0)
			}
		}
		pids = append(pids, int(pid))
	}
	for _, pid := range pids {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err != nil {
			return nil, err
		}
		if status.Stopped() {
			got["EACCES"]++
		} else {
			got["a socket"]++
		}
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, 0, nil)
	}
	return got, nil
}

func rawPid() uintptr {
	pid, _, _ := unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
	return pid
}

// TestShortLived: many sandboxes leave maps and memory as before.
func TestShortLived(t *testing.T) {
	fresh(t)
	if err := Load(); err != nil {
		t.Fatal(err)
	}
	n := 100_000
	switch {
	case runtime.GOARCH != "amd64": // a thread for each, in emulation
		n = 2000
	case testing.Short():
		n = 10_000
	}
	run := func(n int) {
		t.Helper()
		var none bpflsm.Table
		for i := range none.Cells { // the family is there, and not the type
			none.Cells[i] = 1
		}
		for i := range none.Listed { // the program cannot wait for a page that is not there
			none.Listed[i] = ^uint32(0)
		}
		for i := range none.Low {
			none.Low[i][0] = 1
		}
		for i := range none.Ports {
			for n := range none.Ports[i] {
				none.Ports[i][n] = 1 << 62
			}
		}
		calls := []sys.Call{
			{Nr: unix.SYS_PRCTL}, {Nr: unix.SYS_SOCKET, Args: [6]uintptr{unix.AF_UNIX, unix.SOCK_STREAM}},
		}
		retries := 0
		for i := 0; i < n; i++ {
			calls[0].Args = [6]uintptr{unix.PR_GET_DUMPABLE, uintptr(bpflsm.Magic(bpflsm.Version)), 1, uintptr(i + 1), sys.Pointer(&none)}
			if err := sys.Elsewhere(calls); err != nil {
				t.Fatal(err)
			}
			// No memory at hand, or a page was moved at that moment: it comes.
			if (calls[0].Errno() == unix.ENOMEM || calls[0].Errno() == unix.EFAULT) && retries < 10*n {
				retries++
				i--
				continue
			}
			if calls[0].Errno() != 0 || calls[1].Errno() != unix.EACCES {
				t.Fatalf("sandbox %d: enter %v, socket %v", i, calls[0].Errno(), calls[1].Errno())
			}
		}
		runtime.KeepAlive(&none)
		waitEmpty(t)
	}
	run(n / 10) // what is allocated once
	before := memory(t)
	start := time.Now()
	run(n)
	// The kernel frees in its own time, some 10,000 of them in a second.
	const most = 8 << 10
	after := memory(t)
	for range 100 {
		if after-before <= most {
			break
		}
		time.Sleep(100 * time.Millisecond)
		after = memory(t)
	}
	t.Logf("%d sandboxes in %.1f s: memory of the kernel %d KiB before, %d KiB after", n, time.Since(start).Seconds(), before, after)
	if grown := after - before; grown > most {
		t.Errorf("%d sandboxes left %d KiB behind", n, grown)
	}
}

// memory is what the kernel holds for itself, in KiB.
func memory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(string(text)) {
		var name string
		var kib int
		if _, err := fmt.Sscanf(line, "%s %d", &name, &kib); err == nil && slices.Contains([]string{"Slab:", "Percpu:", "VmallocUsed:", "KernelStack:"}, name) {
			sum += kib
		}
	}
	return sum
}

// TestTamper: root in a sandbox cannot end it.
func TestTamper(t *testing.T) {
	fresh(t)
	var got map[string]string
	testutil.InChild(t, testutil.Child{Name: "tamper"}, &got)
	for what, want := range map[string]string{
		"unlink a link": "EPERM", "unlink a map": "EPERM", "rename": "EPERM", "rename the directory": "EPERM", "rmdir": "EPERM",
		"umount": "EPERM", "umount, detached": "EPERM", "umount /sys, detached": "EPERM",
		"write tasks": "EPERM", "write domains": "EPERM", "delete from tasks": "EPERM", "write by number": "EPERM",
		"detach a link": "not supported", "switch the programs off": "EPERM", "socket": "EACCES", "umount of a namespace of its own": "works",
	} {
		if got[what] != want {
			t.Errorf("%s: %s, want %s", what, got[what], want)
		}
	}
	checkEnforced(t)
	// Nor can root outside change what a map says.
	m, err := pinnedMap(sockadeMapDomains)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Put(uint64(1), &sockadeDomain{}); !errors.Is(err, unix.EPERM) {
		t.Errorf("root outside writes to domains: %v", err)
	}
}

func tamper([]byte) (any, error) {
	if err := enter(); err != nil {
		return nil, err
	}
	dir := filepath.Join(bpflsm.Root, bpflsm.Version)
	got := map[string]string{}
	try := func(what string, err error) {
		var errno unix.Errno
		switch {
		case err == nil:
			got[what] = "works"
		case errors.As(err, &errno):
			got[what] = unix.ErrnoName(errno)
		default:
			got[what] = err.Error()
		}
	}
	try("unlink a link", unix.Unlink(filepath.Join(dir, "socket_create")))
	try("unlink a map", unix.Unlink(filepath.Join(dir, sockadeMapTasks)))
	try("rename", unix.Rename(filepath.Join(dir, "socket_create"), filepath.Join(dir, "x")))
	try("rename the directory", unix.Rename(dir, dir+"x"))
	try("rmdir", unix.Rmdir(dir))
	try("umount", unix.Unmount("/sys/fs/bpf", 0))
	try("umount, detached", unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH))
	try("umount /sys, detached", unix.Unmount("/sys", unix.MNT_DETACH))
	for _, name := range []string{sockadeMapTasks, sockadeMapDomains} {
		m, err := pinnedMap(name)
		if err != nil {
			return nil, err
		}
		value := make([]byte, m.ValueSize())
		try("write "+name, m.Put(make([]byte, m.KeySize()), value))
		try("delete from "+name, m.Delete(make([]byte, m.KeySize())))
		info, err := m.Info()
		if err != nil {
			return nil, err
		}
		id, _ := info.ID()
		byNumber, err := ebpf.NewMapFromID(id)
		if err != nil {
			return nil, err
		}
		try("write by number", byNumber.Put(make([]byte, m.KeySize()), value))
	}
	l, err := link.LoadPinnedLink(filepath.Join(dir, "socket_create"), nil)
	if err != nil {
		return nil, err
	}
	try("detach a link", l.Detach())
	try("switch the programs off", os.WriteFile(ftraceEnabled, []byte("0"), 0))
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("0"), 0); err != nil { // others can be written
		return nil, err
	}
	_ = l.Close()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return nil, err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, err
	}
	try("umount of a namespace of its own", unix.Unmount("/sys", unix.MNT_DETACH))
	got["socket"] = inet()
	return got, nil
}

// TestSwitchedOff: where root outside can switch the programs off nothing starts, and
// whoever looks is told.
func TestSwitchedOff(t *testing.T) {
	fresh(t)
	if err := Load(); err != nil {
		t.Fatal(err)
	}
	if os.Getenv(testutil.EnvGuest) == "" {
		testutil.Need(t, "guest", "it would switch off what others have traced on this machine", "make guests")
	}
	if err := os.WriteFile(ftraceEnabled, []byte("0"), 0); err != nil {
		testutil.Need(t, "ftrace_enabled", err.Error(), "this kernel does not let it happen")
	}
	err := testutil.Run(testutil.Child{Name: "enter"}, nil)
	off := SwitchedOff()
	probed := bpflsm.New().Probe(engine.Trial)
	if err := os.WriteFile(ftraceEnabled, []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if err == nil || !strings.Contains(err.Error(), "the programs do not answer") {
		t.Errorf("a sandbox gives %v", err)
	}
	if !off || probed.Available {
		t.Errorf("switched off %v, available %v", off, probed.Available)
	}
	checkEnforced(t)
}

// TestUnprivileged: for other users nothing is there.
func TestUnprivileged(t *testing.T) {
	fresh(t)
	if err := Load(); err != nil {
		t.Fatal(err)
	}
	var got []string
	testutil.InChild(t, testutil.Child{
		Name: "outsider", Attr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}},
	}, &got)
	want := []string{"EACCES", "EACCES", "EPERM", "no answer", "no answer", "bpflsm: it takes root: run sockade as root, or use another backend", "a socket"}
	if !slices.Equal(got, want) {
		t.Errorf("another user got %q, want %q", got, want)
	}
}

func asNobody([]byte) (any, error) {
	var got []string
	try := func(err error) {
		var errno unix.Errno
		if errors.As(err, &errno) {
			got = append(got, unix.ErrnoName(errno))
		} else {
			got = append(got, fmt.Sprint(err))
		}
	}
	_, err := os.ReadDir(bpflsm.Root)
	try(err)
	try(unix.Unlink(filepath.Join(bpflsm.Root, bpflsm.Version, "socket_create")))
	_, err = ebpf.NewMapFromID(1)
	try(err)
	magic := bpflsm.Magic(bpflsm.Version)
	for _, errno := range []unix.Errno{ask(magic, 1, 1, &bpflsm.Table{}), bpflsm.Ask(magic, 2, 1)} {
		if errno == 0 {
			got = append(got, "no answer")
		} else {
			try(errno)
		}
	}
	got = append(got, bpflsm.New().Probe(engine.Trial).Reason)
	return append(got, inet()), nil
}

// TestDenials: what is denied is told to whoever reads the ring, at a bounded rate.
func TestDenials(t *testing.T) {
	fresh(t)
	if err := Load(); err != nil {
		t.Fatal(err)
	}
	m, err := pinnedMap(sockadeMapDenials)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := ringbuf.NewReader(m)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := inside(t, "stay", func() {})
	if len(got) != 2 {
		t.Fatalf("the child got %v", got)
	}
	r.SetDeadline(time.Now().Add(2 * time.Second))
	var events []sockadeDenial
	for {
		record, err := r.Read()
		if err != nil {
			break // it takes no longer
		}
		var e sockadeDenial
		if _, err := binary.Decode(record.RawSample, binary.NativeEndian, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	if len(events) != 2 {
		t.Fatalf("%d denials in the ring, want 2", len(events))
	}
	for _, e := range events {
		if e.Family != unix.AF_INET || e.Type != unix.SOCK_STREAM || e.Protocol != 0 || e.Errno != int32(unix.EACCES) || e.Pid == 0 || e.Domain == 0 || e.Comm[0] == 0 {
			t.Errorf("denial %+v", e)
		}
	}
}
