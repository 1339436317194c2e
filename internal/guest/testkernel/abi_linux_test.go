// SPDX-License-Identifier: Apache-2.0

package testkernel

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, testutil.Children{"asks": asks}) }

// The interface as SPEC.md describes it.
const (
	abi           = 7 // one more than that of Linux 6.12
	createVersion = 1 << 0

	rulePath, rulePort, ruleSocket = 1, 2, 3
	accessCreate                   = 1 << 0
	scopes                         = 1<<0 | 1<<1

	wild = -1

	maxLayers = 16
)

// attr is struct landlock_ruleset_attr: fs, net, and two words whose meaning is the
// dialect, and then what no kernel knows.
type attr [6]uint64

const attrSize = 32

// words are the places of a dialect's fields in attr.
type words struct{ socket, scoped int }

var dialects = map[string]words{"rfc4": {2, 3}, "tail": {3, 2}}

// rule is struct landlock_socket_attr, of which the kernel reads size bytes.
type rule struct {
	access                uint64
	family, typ, protocol int32
}

const ruleSize = 20

// TestABI holds the kernel to the interface, by system calls and nothing else.
func TestABI(t *testing.T) {
	for _, dialect := range Dialects {
		t.Run(dialect, func(t *testing.T) {
			needDialect(t, dialect)
			w := dialects[dialect]
			t.Run("version", testVersion)
			t.Run("place", func(t *testing.T) { testPlace(t, w) })
			t.Run("ruleset", func(t *testing.T) { testRuleset(t, w) })
			t.Run("rule", func(t *testing.T) { testRule(t, w) })
			t.Run("order", func(t *testing.T) { testOrder(t, w) })
			t.Run("model", func(t *testing.T) { testModel(t, w) })
			t.Run("layers", func(t *testing.T) { testLayers(t, w) })
			t.Run("copy", func(t *testing.T) { testCopy(t, w) })
			t.Run("kernel", func(t *testing.T) { testKernelSockets(t, w) })
			t.Run("child", func(t *testing.T) { testChild(t, w) })
			t.Run("io_uring", func(t *testing.T) { testRing(t, w) })
			t.Run("i386 and x32", func(t *testing.T) { testOtherEntries(t, w) })
		})
	}
}

// needDialect asks for a kernel by the name that the build gives it, and not by what
// is under test.
func needDialect(t *testing.T, dialect string) {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release, missing := unix.ByteSliceToString(u.Release[:]), ""
	if !strings.HasSuffix(release, "-sockade-"+dialect) {
		missing = "Linux " + release + " is another kernel"
	}
	testutil.Need(t, Capability(dialect), missing, "make guests ARGS='-kernel "+dialect+"'")
}

func createRuleset(a *attr, size, flags uintptr) (fd int, errno unix.Errno) {
	r, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(a)), size, flags)
	return int(r), errno
}

func addRule(fd, kind int, rule unsafe.Pointer, flags uintptr) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(fd), uintptr(kind), uintptr(rule), flags, 0, 0)
	return errno
}

func restrict(fd int) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(fd), 0, 0)
	}
	return errno
}

// ruleset makes one that handles sockets, with the rules in it.
func ruleset(t *testing.T, w words, rules ...rule) int {
	t.Helper()
	var a attr
	a[w.socket] = accessCreate
	fd, errno := createRuleset(&a, attrSize, 0)
	if errno != 0 {
		t.Fatalf("create ruleset: %v", errno)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	for _, r := range rules {
		r.access = accessCreate
		if errno := addRule(fd, ruleSocket, unsafe.Pointer(&r), 0); errno != 0 {
			t.Fatalf("add rule %+v: %v", r, errno)
		}
	}
	return fd
}

// restricted runs f on a thread in the domain of the rulesets, one layer each.
func restricted(t *testing.T, f func(), rulesets ...int) {
	t.Helper()
	sys.OnThrowawayThread(func() {
		for i, fd := range rulesets {
			if errno := restrict(fd); errno != 0 {
				t.Errorf("restrict, layer %d: %v", i, errno)
				return
			}
		}
		f()
	})
}

func expect(t *testing.T, what string, got, want unix.Errno) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v (%d), want %v (%d)", what, got, got, want, want)
	}
}

func testVersion(t *testing.T) {
	if v, errno := createRuleset(nil, 0, createVersion); v != abi || errno != 0 {
		t.Errorf("ABI %d, %v; want %d", v, errno, abi)
	}
}

// testPlace: the field is where the dialect has it, and where the other one has it
// are the scopes, so that the wrong dialect is accepted and protects nothing.
func testPlace(t *testing.T, w words) {
	for _, c := range []struct {
		name   string
		word   int
		socket unix.Errno
	}{{"its own", w.socket, unix.EACCES}, {"the other dialect's", w.scoped, 0}} {
		var a attr
		a[c.word] = 1
		fd, errno := createRuleset(&a, attrSize, 0)
		expect(t, "handle sockets at "+c.name+" place", errno, 0)
		restricted(t, func() {
			expect(t, "socket, handled at "+c.name+" place", sys.TrySocket(unix.AF_INET, unix.SOCK_STREAM, 0), c.socket)
		}, fd)
		_ = unix.Close(fd)
	}
	for value := range uint64(8) {
		for _, c := range []struct {
			name  string
			word  int
			known uint64
		}{{"sockets", w.socket, accessCreate}, {"scopes", w.scoped, scopes}} {
			want := unix.Errno(0)
			if value&^c.known != 0 {
				want = unix.EINVAL
			} else if value == 0 {
				want = unix.ENOMSG
			}
			var a attr
			a[c.word] = value
			fd, errno := createRuleset(&a, attrSize, 0)
			expect(t, fmt.Sprintf("%s %#x", c.name, value), errno, want)
			if errno == 0 {
				_ = unix.Close(fd)
			}
		}
	}
}

func testRuleset(t *testing.T, w words) {
	handled, beyond := attr{}, attr{4: 1}
	handled[w.socket] = accessCreate
	beyond[w.socket] = accessCreate
	high := attr{}
	high[w.socket] = 1 << 32
	short := unix.Errno(0) // of a structure without its last word
	if w.socket == 3 {
		short = unix.ENOMSG
	}
	for _, c := range []struct {
		name string
		attr attr
		size uintptr
		want unix.Errno
	}{
		{"nothing", attr{}, attrSize, unix.ENOMSG},
		{"sockets", handled, attrSize, 0},
		{"bit 32", high, attrSize, unix.EINVAL},
		{"one word less", handled, 24, short},
		{"without sockets", handled, 16, unix.ENOMSG},
		{"too small", handled, 7, unix.EINVAL},
		{"longer, with zeroes", handled, 48, 0},
		{"longer, and not known", beyond, 40, unix.E2BIG},
		{"longer than a page", handled, 4097, unix.E2BIG},
	} {
		fd, errno := createRuleset(&c.attr, c.size, 0)
		expect(t, c.name, errno, c.want)
		if errno == 0 {
			_ = unix.Close(fd)
		}
	}
	_, errno := createRuleset(&handled, attrSize, 4)
	expect(t, "a flag", errno, unix.EINVAL)
	_, errno = createRuleset(nil, attrSize, 0)
	expect(t, "no structure", errno, unix.EFAULT)
}

func testRule(t *testing.T, w words) {
	fd := ruleset(t, w)
	files := attr{0: 1}
	onlyFiles, errno := createRuleset(&files, attrSize, 0)
	expect(t, "a ruleset for files", errno, 0)
	defer unix.Close(onlyFiles)
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(null)
	good := rule{accessCreate, unix.AF_INET, unix.SOCK_STREAM, 0}
	for _, c := range []struct {
		name     string
		fd, kind int
		rule     rule
		flags    uintptr
		want     unix.Errno
	}{
		{"good", fd, ruleSocket, good, 0, 0},
		{"again", fd, ruleSocket, good, 0, 0},
		{"a flag", fd, ruleSocket, good, 1, unix.EINVAL},
		{"of no kind", fd, 0, good, 0, unix.EINVAL},
		{"of the next kind", fd, ruleSocket + 1, good, 0, unix.EINVAL},
		{"no access", fd, ruleSocket, rule{0, 1, 1, 0}, 0, unix.ENOMSG},
		{"unknown access", fd, ruleSocket, rule{2, 1, 1, 0}, 0, unix.EINVAL},
		{"unknown access too", fd, ruleSocket, rule{3, 1, 1, 0}, 0, unix.EINVAL},
		{"access in bit 32", fd, ruleSocket, rule{1 << 32, 1, 1, 0}, 0, unix.EINVAL},
		{"access that is not handled", onlyFiles, ruleSocket, good, 0, unix.EINVAL},
		{"no descriptor", -1, ruleSocket, good, 0, unix.EBADF},
		{"no ruleset", null, ruleSocket, good, 0, unix.EBADFD},
		{"least family", fd, ruleSocket, rule{1, 0, 1, 1}, 0, 0},
		{"greatest family", fd, ruleSocket, rule{1, 254, 1, 1}, 0, 0},
		{"family too great", fd, ruleSocket, rule{1, 255, 1, 1}, 0, unix.EINVAL},
		{"family and a bit", fd, ruleSocket, rule{1, 1 << 8, 1, 1}, 0, unix.EINVAL},
		{"any family", fd, ruleSocket, rule{1, -1, 1, 1}, 0, unix.EINVAL},
		{"least type", fd, ruleSocket, rule{1, 1, 0, 1}, 0, 0},
		{"greatest type", fd, ruleSocket, rule{1, 1, 254, 1}, 0, 0},
		{"type too great", fd, ruleSocket, rule{1, 1, 255, 1}, 0, unix.EINVAL},
		{"type with a flag", fd, ruleSocket, rule{1, 1, 1 | unix.SOCK_CLOEXEC, 1}, 0, unix.EINVAL},
		{"any type", fd, ruleSocket, rule{1, 1, wild, 1}, 0, 0},
		{"type too small", fd, ruleSocket, rule{1, 1, -2, 1}, 0, unix.EINVAL},
		{"least protocol", fd, ruleSocket, rule{1, 1, 1, 0}, 0, 0},
		{"greatest protocol", fd, ruleSocket, rule{1, 1, 1, 65534}, 0, 0},
		{"protocol too great", fd, ruleSocket, rule{1, 1, 1, 65535}, 0, unix.EINVAL},
		{"protocol and a bit", fd, ruleSocket, rule{1, 1, 1, 1 << 16}, 0, unix.EINVAL},
		{"any protocol", fd, ruleSocket, rule{1, 1, 1, wild}, 0, 0},
		{"protocol too small", fd, ruleSocket, rule{1, 1, 1, -2}, 0, unix.EINVAL},
	} {
		expect(t, c.name, addRule(c.fd, c.kind, unsafe.Pointer(&c.rule), c.flags), c.want)
	}
	testPacked(t, fd, good)
}

// testPacked: the kernel reads 20 bytes, no more and no less. Nothing is mapped after
// the page.
func testPacked(t *testing.T, fd int, r rule) {
	page := unix.Getpagesize()
	m, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	if err := unix.Mprotect(m[page:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	text := unsafe.Slice((*byte)(unsafe.Pointer(&r)), ruleSize)
	copy(m[page-ruleSize:page], text)
	expect(t, "20 bytes", addRule(fd, ruleSocket, unsafe.Pointer(&m[page-ruleSize]), 0), 0)
	copy(m[page-ruleSize+1:page], text)
	expect(t, "19 bytes", addRule(fd, ruleSocket, unsafe.Pointer(&m[page-ruleSize+1]), 0), unix.EFAULT)
}

// testOrder: what the kernel checks before the hook keeps its errno, and what it
// checks later has none.
func testOrder(t *testing.T, w words) {
	const noFamily = 46 // AF_MAX
	restricted(t, func() {
		for _, c := range []struct {
			family, typ, protocol int32
			want                  unix.Errno
		}{
			{unix.AF_UNIX, unix.SOCK_STREAM, 0, unix.EACCES},
			{unix.AF_UNIX, unix.SOCK_STREAM | unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK, 0, unix.EACCES},
			{unix.AF_INET, unix.SOCK_PACKET, 0, unix.EACCES},
			{unix.AF_APPLETALK, unix.SOCK_DGRAM, 0, unix.EACCES}, // not in this kernel
			{unix.AF_UNIX, unix.SOCK_STREAM, 99, unix.EACCES},
			{unix.AF_UNIX, unix.SOCK_STREAM | 0x10, 0, unix.EINVAL},
			{noFamily, unix.SOCK_STREAM, 0, unix.EAFNOSUPPORT},
			{-1, unix.SOCK_STREAM, 0, unix.EAFNOSUPPORT},
			{unix.AF_UNIX, 11, 0, unix.EINVAL},
		} {
			expect(t, fmt.Sprintf("socket%v", c), sys.TrySocket(c.family, c.typ, c.protocol), c.want)
		}
		var sv [2]int32
		_, _, errno := unix.RawSyscall6(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_STREAM, 0, uintptr(unsafe.Pointer(&sv)), 0, 0)
		expect(t, "socketpair", errno, unix.EACCES)
	}, ruleset(t, w))
}

// layer is a ruleset of the model.
type layer struct {
	handles bool
	rules   []rule
}

// allows is what the kernel should do, in the plainest way: in each layer that handles
// sockets there is a rule that matches.
func allows(layers []layer, family, typ, protocol int32) bool {
	for _, l := range layers {
		matches := !l.handles
		for _, r := range l.rules {
			matches = matches || r.family == family && (r.typ == wild || r.typ == typ) && (r.protocol == wild || r.protocol == protocol)
		}
		if !matches {
			return false
		}
	}
	return true
}

// testModel compares stacks of random rulesets with the model, for requests on and
// next to every bound. Without the domain each request has the errno of one that is
// allowed.
func testModel(t *testing.T, w words) {
	random := testutil.Rand(t)
	families := []int32{unix.AF_UNSPEC, unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET, unix.AF_APPLETALK, unix.AF_VSOCK, 45}
	protocols := []int32{0, 1, 6, 17, 132, 255, 256, 262, 65534, 65535, 65536, 65537, 65536 + 6, 1 << 24, -1, -2, -65536}
	pick := func(from []int32) int32 { return from[random.IntN(len(from))] }
	randomRule := func() rule {
		r := rule{accessCreate, pick(families), int32(random.IntN(11)), pick(protocols[:9])}
		if random.IntN(3) == 0 {
			r.typ = wild
		}
		if random.IntN(3) == 0 {
			r.protocol = wild
		}
		return r
	}
	verdicts := map[bool]int{}
	for round := range 12 {
		var layers []layer
		var fds []int
		for range 1 + random.IntN(maxLayers) {
			l := layer{handles: random.IntN(4) != 0}
			if round == 0 || !l.handles { // once without any: nothing is denied
				l.handles = false
				var a attr
				a[w.scoped] = scopes
				fd, errno := createRuleset(&a, attrSize, 0)
				expect(t, "create ruleset for scopes", errno, 0)
				defer unix.Close(fd)
				fds = append(fds, fd)
			} else {
				for range random.IntN(200) {
					l.rules = append(l.rules, randomRule())
				}
				fds = append(fds, ruleset(t, w, l.rules...))
			}
			layers = append(layers, l)
		}
		type request struct{ family, typ, protocol int32 }
		var requests []request
		var outside []unix.Errno
		for _, family := range families {
			for typ := range int32(11) {
				for _, protocol := range protocols {
					requests = append(requests, request{family, typ, protocol})
					outside = append(outside, sys.TrySocket(family, typ, protocol))
				}
			}
		}
		restricted(t, func() {
			for i, r := range requests {
				family := r.family
				if family == unix.AF_INET && r.typ == unix.SOCK_PACKET {
					family = unix.AF_PACKET
				}
				want := unix.EACCES
				ok := allows(layers, family, r.typ, r.protocol)
				if ok {
					want = outside[i]
				}
				verdicts[ok]++
				if got := sys.TrySocket(r.family, r.typ, r.protocol); got != want {
					t.Errorf("round %d: %+v in %+v: %v, want %v", round, r, layers, got, want)
					return
				}
			}
		}, fds...)
	}
	t.Logf("allowed and denied: %v", verdicts)
	if verdicts[true] < 1000 || verdicts[false] < 1000 {
		t.Error("the rounds show nothing")
	}
}

// testLayers: a domain has sixteen layers, and each counts.
func testLayers(t *testing.T, w words) {
	all := ruleset(t, w, rule{family: unix.AF_UNIX, typ: wild, protocol: wild}, rule{family: unix.AF_INET, typ: wild, protocol: wild})
	some := ruleset(t, w, rule{family: unix.AF_UNIX, typ: unix.SOCK_STREAM, protocol: 0})
	for place := range maxLayers + 1 { // of the stricter one; the last is nowhere
		var fds []int
		want := unix.Errno(0)
		for i := range maxLayers {
			if i == place {
				fds = append(fds, some)
				want = unix.EACCES
			} else {
				fds = append(fds, all)
			}
		}
		restricted(t, func() {
			expect(t, fmt.Sprintf("unix, the strict layer is %d", place), sys.TrySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0), 0)
			expect(t, fmt.Sprintf("inet, the strict layer is %d", place), sys.TrySocket(unix.AF_INET, unix.SOCK_STREAM, 0), want)
			expect(t, "layer 17", restrict(all), unix.E2BIG)
		}, fds...)
	}
}

// testCopy: what is added to a ruleset later is no part of the domain.
func testCopy(t *testing.T, w words) {
	fd := ruleset(t, w)
	restricted(t, func() {
		r := rule{accessCreate, unix.AF_UNIX, wild, wild}
		expect(t, "add a rule", addRule(fd, ruleSocket, unsafe.Pointer(&r), 0), 0)
		expect(t, "socket", sys.TrySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0), unix.EACCES)
	}, fd)
	restricted(t, func() {
		expect(t, "socket, restricted later", sys.TrySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0), 0)
	}, fd)
}

// testKernelSockets: a network namespace has sockets that the kernel makes for itself
// in the name of the caller.
func testKernelSockets(t *testing.T, w words) {
	missing := ""
	if unix.Geteuid() != 0 {
		missing = "this is another user"
	}
	testutil.Need(t, "root", missing, "run the tests as root")
	restricted(t, func() {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare: %v", err)
		}
		expect(t, "socket", sys.TrySocket(unix.AF_INET, unix.SOCK_STREAM, 0), unix.EACCES)
	}, ruleset(t, w))
}

// answer is what a child sees.
type answer struct{ Unix, Inet unix.Errno }

func asks([]byte) (any, error) {
	return answer{sys.TrySocket(unix.AF_UNIX, unix.SOCK_STREAM, 0), sys.TrySocket(unix.AF_INET, unix.SOCK_STREAM, 0)}, nil
}

// onlyUnix is a ruleset that allows unix/stream.
func onlyUnix(t *testing.T, w words) int {
	return ruleset(t, w, rule{family: unix.AF_UNIX, typ: unix.SOCK_STREAM, protocol: 0})
}

// testChild: the domain is there after fork and execve.
func testChild(t *testing.T, w words) {
	restricted(t, func() {
		var got answer
		if err := testutil.Run(testutil.Child{Name: "asks"}, &got); err != nil || got != (answer{0, unix.EACCES}) {
			t.Errorf("child: %+v, %v", got, err)
		}
	}, onlyUnix(t, w))
}

// testRing: io_uring makes sockets with the credentials of who submits.
func testRing(t *testing.T, w words) {
	restricted(t, func() {
		r, err := sys.NewRing(4, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer r.Close()
		for _, c := range []struct {
			family int32
			want   unix.Errno
		}{{unix.AF_UNIX, 0}, {unix.AF_INET, unix.EACCES}} {
			r.Queue(c.family, unix.SOCK_STREAM, 0, 0)
			if err := r.Enter(); err != nil {
				t.Error(err)
				return
			}
			_, res, ok := r.Reap()
			if !ok {
				t.Error("no completion")
			}
			expect(t, fmt.Sprintf("IORING_OP_SOCKET %d", c.family), unix.Errno(max(0, -res)), c.want)
			if res >= 0 {
				_ = unix.Close(int(res))
			}
		}
	}, onlyUnix(t, w))
}

// testOtherEntries: the hook is behind every entry to the kernel.
func testOtherEntries(t *testing.T, w words) {
	restricted(t, func() {
		for _, c := range []struct {
			family uintptr
			want   unix.Errno
		}{{unix.AF_UNIX, 0}, {unix.AF_INET, unix.EACCES}} {
			for name, errno := range otherEntries(t, c.family) {
				expect(t, fmt.Sprintf("%s, family %d", name, c.family), errno, c.want)
			}
		}
	}, onlyUnix(t, w))
}
