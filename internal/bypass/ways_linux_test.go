// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/backends/seccomp"
	"github.com/sockade/sockade/engine"
	"github.com/sockade/sockade/selector"
)

// end is what becomes of a way.
type end string

const (
	closed   end = "closed"
	narrowed end = "closed, and more with it" // a narrowing in the plan
	gap      end = "gap"                      // a strict plan refuses to start
	unseen   end = "open"                     // the plan lists it as unseen
	refuses  end = "refused to start"         // what is open already is named
	granted  end = "allowed by the policy"
	kept     end = "works as before" // no way around, and not to be broken
)

// try is an attempt in a process of its own. It prepares, enters the sandbox,
// and returns what it then got: works, or the name of an errno.
type try func(s *sandbox) (string, error)

// need tells which capability a row takes and, in missing, why it is not there.
type need func(root bool) (capability, missing, fix string)

// way is one row: a way around a socket filter.
type way struct {
	name string
	// allow, fds and errno are the policy.
	allow string
	fds   engine.FDs
	errno engine.DenyErrno
	// try is the attempt; image is how it goes on in a program that it executes.
	try, image try
	// end is what happens, and finding where the plan says so.
	end     end
	finding string
	// seen is what the try returns in the sandbox, refusal what an error says.
	seen, refusal string
	// filtered is what it returns where io_uring has a filter of its own and the
	// way is closed by that, without the finding.
	filtered string
	// exact is what it returns with a backend that sees every request and what is
	// received, where that differs: the way is closed, or works as it should.
	exact string
	// asFiltered says that Landlock's socket rules do not see more than a filter here.
	asFiltered bool
	// control is what it returns without: works unless set.
	control    string
	bestEffort bool
	root       bool // takes root
	amd64      bool // takes an x86-64 machine
	needs      []need
	// controlNeeds are what the control run takes and the sandbox does not.
	controlNeeds []need
	// shown is how the row shows it, for the documentation.
	shown string
}

func (w way) policy() engine.Policy {
	p := policy(w.allow)
	p.FDs, p.DenyErrno = w.fds, w.errno
	return p
}

// on is the row as it is with this backend on this kernel.
func (w way) on(c selector.Candidate) way {
	seen := ""
	switch name := c.Backend.Name(); {
	case name == "landlock" && w.errno == engine.DenyUnsupported:
		w.end, w.finding, w.seen = gap, engine.FindingErrno, eacces
	case name == "landlock" && w.asFiltered:
	case name == "bpflsm", name == "landlock":
		seen = w.exact
	case c.Support.Has(seccomp.RingFilter):
		seen = w.filtered
	}
	if seen != "" {
		w.end, w.finding, w.seen = closed, "", seen
		if w.seen == works {
			w.end = kept
		}
	}
	return w
}

func (w way) wantControl() string {
	if w.control == "" {
		return works
	}
	return w.control
}

// judged are the backends that the table speaks of: the first two have the column end.
var judged = []string{"seccomp", "libseccomp", "bpflsm", "landlock"}

const (
	eacces  = "EACCES"
	eperm   = "EPERM"
	rubbish = 0xdeadbeef << 32 // for the half of a register that the kernel ignores
	x32Bit  = 0x40000000       // __X32_SYSCALL_BIT, asm/unistd.h
	ptr     = 1<<32 - 1        // stands for a pointer among the words of a call

	// arch/x86/entry/syscalls/syscall_32.tbl and linux/net.h
	i386Getpid           = 20
	i386Ptrace           = 26
	i386Socketcall       = 102
	i386Socket           = 359
	i386Socketpair       = 360
	i386URingSetup       = 425
	socketcallSocket     = 1
	socketcallSocketpair = 8
)

var (
	receivePolicy = engine.FDs{Receive: engine.ReceivePolicy}
	inheritClose  = engine.FDs{Inherit: engine.InheritClose}
	inheritKeep   = engine.FDs{Inherit: engine.InheritKeep}
)

// chapter is a part of the table.
type chapter struct {
	title string
	rows  []way
}

var chapters = []chapter{
	{"Entries to the kernel", entryWays},
	{"Spellings of a request", spellingWays},
	{"io_uring", uringWays},
	{"Sockets from elsewhere", fileWays},
	{"Processes outside", processWays},
	{"Undoing the sandbox", undoWays},
	{"Processes and threads inside", insideWays},
	{"What keeps working", keptWays},
}

// ways are all rows.
var ways = func() (all []way) {
	for _, c := range chapters {
		all = append(all, c.rows...)
	}
	return all
}()

var entryWays = []way{
	{
		name: "socket(2)", allow: "unix", try: enterThen(inetSocket), end: closed, seen: eacces,
		shown: "socket(AF_INET, SOCK_STREAM, 0)",
	},
	{
		name: "socketpair(2) of a denied family", allow: "inet", try: enterThen(pair(unix.SYS_SOCKETPAIR)), end: closed, seen: eacces,
		shown: "socketpair(AF_UNIX, …) where only inet is allowed",
	},
	{
		name: "x32: socket", allow: "unix", try: enterThen(call(unix.SYS_SOCKET|x32Bit, unix.AF_INET, unix.SOCK_STREAM, 0)),
		end: closed, seen: eacces, amd64: true, controlNeeds: []need{needX32},
		shown: "call number 41 with bit 30, which has the audit architecture of x86-64",
	},
	{
		name: "x32: socketpair", allow: "inet", try: enterThen(pair(unix.SYS_SOCKETPAIR | x32Bit)),
		end: closed, seen: eacces, amd64: true, controlNeeds: []need{needX32},
		shown: "call number 53 with bit 30",
	},
	{
		name: "int 0x80: socket", allow: "unix", try: enterThen(int80(i386Socket, unix.AF_INET, unix.SOCK_STREAM, 0, 0)),
		end: closed, seen: eacces, amd64: true, needs: []need{needInt80}, shown: "call 359 of the i386 table, which every 64-bit process can enter by",
	},
	{
		name: "int 0x80: socketpair", allow: "inet", try: enterThen(int80Pair),
		end: closed, seen: eacces, amd64: true, needs: []need{needInt80}, shown: "call 360",
	},
	{
		name: "int 0x80: rubbish in the upper halves", allow: "unix", try: enterThen(int80(rubbish|i386Socket, rubbish|unix.AF_INET, rubbish|unix.SOCK_STREAM, rubbish, 0)),
		end: closed, seen: eacces, amd64: true, needs: []need{needInt80}, shown: "in all four registers; the entry cuts them off",
	},
	{
		name: "int 0x80 in 32-bit mode", allow: "unix", try: compatMode,
		end: closed, seen: eacces, amd64: true, needs: []need{needInt80}, shown: "a 64-bit program makes a far jump into the 32-bit code segment: it is the same entry",
	},
	{
		name: "socketcall: socket", allow: "unix", try: enterThen(int80Words(i386Socketcall, socketcallSocket, unix.AF_INET, unix.SOCK_STREAM, 0)),
		end: narrowed, finding: engine.FindingSocketcall, seen: eacces, exact: eacces, amd64: true, needs: []need{needInt80}, shown: "call 102 with 1: the triple is in memory, so that every such call is denied",
	},
	{
		name: "socketcall: socketpair", allow: "unix", try: enterThen(int80Words(i386Socketcall, socketcallSocketpair, unix.AF_UNIX, unix.SOCK_STREAM, 0, ptr)),
		end: narrowed, finding: engine.FindingSocketcall, seen: eacces, exact: works, amd64: true, needs: []need{needInt80}, shown: "call 102 with 8, for a pair that the policy would allow",
	},
}

var spellingWays = []way{
	{
		name: "SOCK_PACKET under a rule for inet", allow: "inet", root: true, try: enterThen(call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_PACKET, 0x300)),
		end: closed, seen: eacces, shown: "socket(AF_INET, SOCK_PACKET, …), which the kernel turns into a packet socket",
	}, {
		name: "SOCK_PACKET under a rule for packet", allow: "packet", root: true, try: enterThen(call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_PACKET, 0x300)),
		end: granted, seen: works, shown: "the same call: it is a packet socket however it is spelled",
	}, {
		name: "rubbish in the upper half of the family", allow: "unix", try: enterThen(call(unix.SYS_SOCKET, rubbish|unix.AF_INET, unix.SOCK_STREAM, 0)),
		end: closed, seen: eacces, shown: "the kernel looks at the low 32 bits only, and so does the filter",
	}, {
		name: "rubbish in the upper half of the type", allow: "inet/dgram", try: enterThen(call(unix.SYS_SOCKET, unix.AF_INET, rubbish|unix.SOCK_STREAM, 0)),
		end: closed, seen: eacces, shown: "as above, with a rule for another type",
	}, {
		name: "rubbish in the upper half of the protocol", allow: "netlink/raw/route", try: enterThen(call(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, rubbish|unix.NETLINK_GENERIC)),
		end: closed, seen: eacces, shown: "as above, with a rule for another protocol",
	}, {
		name: "rubbish in the upper half of the call number", allow: "unix", try: enterThen(call(rubbish|unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM, 0)),
		end: closed, seen: eacces, amd64: true, controlNeeds: []need{needWideNumber}, shown: "the kernel looks at eax, and so does the filter",
	}, {
		name: "flags in the type", allow: "inet/dgram", try: enterThen(call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)),
		end: closed, seen: eacces, shown: "SOCK_NONBLOCK and SOCK_CLOEXEC are taken off before the type is compared",
	}, {
		name: "unknown flags in the type", allow: "inet/dgram", try: enterThen(call(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|0x10, 0)),
		end: closed, seen: "EINVAL", control: "EINVAL", shown: "the filter gives the kernel's own errno and does not pass the call through",
	}, {
		name: "a family that the kernel does not have", allow: "unix", try: enterThen(call(unix.SYS_SOCKET, 200, unix.SOCK_STREAM, 0)),
		end: closed, seen: "EAFNOSUPPORT", control: "EAFNOSUPPORT", shown: "as above: a kernel that grows the family stays closed",
	}, {
		name: "the same protocol by another number", allow: "inet/stream/mptcp", try: enterThen(inetSocket),
		end: closed, seen: eacces, shown: "protocol 0 is TCP and not MPTCP",
	}, {
		name: "IPV6_ADDRFORM", allow: "inet6", try: addrForm, end: granted, seen: works, needs: []need{needIPv6},
		shown: "a connected inet6 socket becomes one of inet: a socket stays granted whatever becomes of it, and inet6 reaches IPv4 peers by mapped addresses anyway",
	},
}

var uringWays = []way{
	{
		name: "a new ring", allow: "unix", try: enterThen(newRing(unix.AF_INET)), end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: eacces, needs: []need{needURing},
		shown: "IORING_OP_SOCKET makes sockets without socket(2), so that io_uring_setup(2) fails",
	}, {
		name: "a new ring of a program that is executed", allow: "unix", try: execImage, image: step(newRing(unix.AF_INET)),
		end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: eacces, filtered: eacces, needs: []need{needURing},
		shown: "under sockade run; Linux 7.1 has a filter for IORING_OP_SOCKET, and denies the request and not the ring",
	}, {
		name: "a new ring for a socket that the policy allows", allow: "unix", try: execImage, image: step(newRing(unix.AF_UNIX)),
		end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: works, filtered: works, needs: []need{needURing},
		shown: "the same with an allowed request",
	}, {
		name: "a new ring that a kernel thread polls", allow: "unix", try: execImage, image: step(newPolledRing),
		end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: eacces, filtered: eacces, needs: []need{needURing},
		shown: "the same with IORING_SETUP_SQPOLL: the thread is made after the filter",
	}, {
		name: "a new ring with restrictions that fail", allow: "unix", try: execImage, image: step(badRestrictions),
		end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: eacces, filtered: eacces, needs: []need{needURing},
		shown: "IORING_REGISTER_RESTRICTIONS takes all restrictions of a ring back when it fails, and not the filter",
	}, {
		name: "a new ring with a filter that allows everything", allow: "unix", try: execImage, image: step(ownFilter),
		end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: eacces, filtered: eacces, needs: []need{needURing},
		shown: "a filter is added to those that are there: all have to allow",
	}, {
		name: "a new ring, denied as unsupported", allow: "unix", errno: engine.DenyUnsupported, try: execImage, image: step(newRing(unix.AF_INET)),
		end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: "EAFNOSUPPORT", needs: []need{needURing},
		shown: "the filter for IORING_OP_SOCKET has no errno but EACCES, so that io_uring_setup(2) fails",
	}, {
		name: "a new ring by int 0x80", allow: "unix", amd64: true, end: narrowed, finding: engine.FindingIOURing, seen: eperm, exact: works, needs: []need{needURing, needInt80},
		try: newRingBy(func(params uintptr) (string, error) { return int80(i386URingSetup, 1, params, 0, 0)() }), shown: "call 425 of the i386 table",
	}, {
		name: "a ring that is open when a process restricts itself", allow: "unix", try: openRing, end: refuses, seen: refused, refusal: "an io_uring ring",
		needs: []need{needURing}, shown: "selector.Restrict names the descriptor",
	}, {
		name: "a ring that is inherited over execve", allow: "unix", try: inheritRing, image: enterInherited, end: refuses, seen: refused, refusal: "an io_uring ring",
		needs: []need{needURing}, shown: "with a request in its queue; sockade run names the descriptor",
	}, {
		name: "the same ring, inherit = close", allow: "unix", fds: inheritClose, try: inheritRing, image: enterInherited, end: closed, seen: "EBADF",
		needs: []need{needURing}, shown: "the program does not have the descriptor",
	}, {
		name: "the same ring, inherit = keep", allow: "unix", fds: inheritKeep, try: inheritRing, image: enterInherited, end: refuses, seen: refused, refusal: "an io_uring ring",
		needs: []need{needURing}, shown: "keep is about sockets: a ring would make new ones",
	}, {
		name: "the same ring, inherit = keep, best effort", allow: "unix", fds: inheritKeep, bestEffort: true, try: inheritRing, image: enterInherited,
		end: refuses, seen: refused, refusal: "an io_uring ring", needs: []need{needURing}, shown: "best effort is about what no backend can do",
	}, {
		name: "a polled ring", allow: "unix", try: pollingRing(asItIs), end: refuses, seen: refused, refusal: "an io_uring ring",
		needs: []need{needURing}, shown: "IORING_SETUP_SQPOLL: a kernel thread makes sockets with no system call at all",
	}, {
		name: "a polled ring, inherit = close", allow: "unix", fds: inheritClose, try: pollingRing(asItIs), end: refuses, seen: refused, refusal: "an io_uring ring is mapped",
		needs: []need{needURing}, shown: "closing the descriptor would not end it: its memory is mapped",
	}, {
		name: "a polled ring without a descriptor", allow: "unix", try: pollingRing(closeRingFD), end: refuses, seen: refused, refusal: "an io_uring ring is mapped",
		needs: []need{needURing}, shown: "mapped, and the descriptor closed",
	}, {
		name: "a polled ring in the program's own memory", allow: "unix", try: hiddenPolling(false), end: refuses, seen: refused, refusal: "io_uring",
		needs: []need{needHiddenRing}, shown: "IORING_SETUP_NO_MMAP and REGISTERED_FD_ONLY: no descriptor and no mapping, but a thread",
	}, {
		name: "the same, its thread renamed", allow: "unix", try: hiddenPolling(true), end: refuses, seen: refused, refusal: "io_uring",
		needs: []need{needHiddenRing}, shown: "the thread is told by its flags and not by its name",
	}, {
		name: "a timer in a ring in the program's own memory", allow: "unix", try: hiddenTimer, end: unseen, finding: engine.FindingBefore, seen: works, exact: nothing,
		needs: []need{needHiddenRing}, shown: "the program asked for the socket before it restricted itself, to be made when a timer ends: no descriptor, no mapping and no thread",
	}, {
		name: "the same timer over execve", allow: "unix", try: hiddenTimerExec, image: func(*sandbox) (string, error) { return made() }, end: closed, seen: nothing, control: nothing,
		needs: []need{needHiddenRing}, shown: "execve(2) ends the rings of a process: sockade run is not concerned",
	}, {
		name: "a polled ring of a process outside", allow: "unix", try: driven, image: drive, end: refuses, seen: refused, refusal: "an io_uring ring is mapped",
		needs: []need{needURing}, shown: "the child of the process that made it has it mapped",
	}, {
		name: "a ring that was closed before", allow: "unix", try: closedRing, end: kept, seen: works,
		needs: []need{needURing}, shown: "is no reason to refuse",
	},
}

var fileWays = []way{
	{
		name: "a socket that is open when a process restricts itself", allow: "unix", try: openSocket,
		end: refuses, seen: refused, refusal: "inet/stream/tcp", shown: "selector.Restrict names the descriptor and the socket",
	}, {
		name: "the same, inherit = close", allow: "unix", fds: inheritClose, try: openSocket,
		end: closed, seen: "EBADF", shown: "the descriptor is closed",
	}, {
		name: "a socket that is inherited over execve", allow: "unix", try: inheritSocket, image: useInherited(inheritedFD),
		end: refuses, seen: refused, refusal: "inet/stream/tcp", shown: "sockade run names the descriptor and the socket",
	}, {
		name: "the same, inherit = close (execve)", allow: "unix", fds: inheritClose, try: inheritSocket, image: useInherited(inheritedFD),
		end: closed, seen: "EBADF", shown: "the program does not have the descriptor",
	}, {
		name: "the same, inherit = keep (execve)", allow: "unix", fds: inheritKeep, try: inheritSocket, image: useInherited(inheritedFD),
		end: granted, seen: works, shown: "the policy's own words",
	}, {
		name: "a socket as standard input", allow: "unix", try: inheritStdin, image: useInherited(0),
		end: refuses, seen: refused, refusal: "fd 0 (stdin)", shown: "sockade run names it and says how to allow it",
	}, {
		name: "a socket in a thread's own descriptor table", allow: "unix",
		try: ownTable(func(s *sandbox, fd int) (string, error) {
			if err := s.enter(); err != nil {
				return "", err
			}
			return useSocket(fd)
		}),
		end: refuses, seen: refused, refusal: "inet/stream/tcp", shown: "unshare(CLONE_FILES), then selector.Restrict",
	}, {
		name: "a socket in a thread's own descriptor table, execve", allow: "unix",
		try: ownTable(func(s *sandbox, _ int) (string, error) { return "", s.exec("/proc/self/exe") }), image: useInherited(inheritedFD),
		end: refuses, seen: refused, refusal: "inet/stream/tcp", shown: "unshare(CLONE_FILES), then sockade's way of execve",
	}, {
		name: "SCM_RIGHTS, receive = any", allow: "unix", try: receive,
		end: granted, seen: works, shown: "a process outside sends an inet socket; the policy lets received sockets in unless it says otherwise",
	}, {
		name: "SCM_RIGHTS, receive = policy", allow: "unix", fds: receivePolicy, try: receive,
		asFiltered: true, end: gap, finding: engine.FindingReceive, seen: works, exact: truncated, shown: "a filter does not see what a message carries: strict refuses, best effort starts and it works",
	}, {
		name: "a socket in flight when the sandbox begins", allow: "unix", fds: receivePolicy, try: receiveInFlight,
		asFiltered: true, end: gap, finding: engine.FindingReceive, seen: works, exact: truncated, shown: "sent and closed before, received after: the same gap",
	}, {
		name: "SCM_RIGHTS of an allowed socket, receive = policy", allow: "unix,inet/stream/tcp", fds: receivePolicy, try: receive,
		asFiltered: true, end: gap, finding: engine.FindingReceive, seen: works, exact: works, shown: "the same message under a policy that allows the socket",
	}, {
		name: "a process outside that shares the descriptor table", allow: "unix", try: sharedTable,
		end: granted, seen: works, shown: "clone(CLONE_FILES) before: its sockets arrive without a message, which receive = any lets in",
	},
}

var processWays = []way{
	{
		name: "pidfd_getfd(2)", allow: "unix", try: pidfdGetfd, end: narrowed, finding: engine.FindingAttach, seen: eperm, exact: eperm, needs: []need{needPtrace},
		shown: "takes an inet socket of a process outside",
	}, {
		name: "ptrace: PTRACE_ATTACH", allow: "unix", try: attach(unix.PtraceAttach), end: narrowed, finding: engine.FindingAttach, seen: eperm, exact: eperm, needs: []need{needPtrace},
		shown: "a traced process could be made to create sockets",
	}, {
		name: "ptrace: PTRACE_SEIZE", allow: "unix", try: attach(unix.PtraceSeize), end: narrowed, finding: engine.FindingAttach, seen: eperm, exact: eperm, needs: []need{needPtrace},
		shown: "as above",
	}, {
		name: "ptrace by int 0x80", allow: "unix", try: attachInt80, end: narrowed, finding: engine.FindingAttach, seen: eperm, exact: eperm, amd64: true, needs: []need{needPtrace, needInt80},
		shown: "call 26 of the i386 table",
	}, {
		name: "process_vm_writev(2)", allow: "unix", try: vmWritev, end: narrowed, finding: engine.FindingAttach, seen: eperm, exact: eperm, needs: []need{needPtrace},
		shown: "changes a variable of a process outside",
	}, {
		name: "/proc/PID/mem", allow: "unix", try: procMem, end: unseen, finding: engine.FindingProcMem, seen: works, exact: eacces, needs: []need{needPtrace},
		shown: "changes a variable of a process outside of the same user: a plain file write, which no filter sees",
	}, {
		name: "a process outside that is traced already", allow: "unix", try: pokeFromBefore, end: unseen, finding: engine.FindingProcMem, seen: works, needs: []need{needPtrace},
		shown: "attached before, PTRACE_POKEDATA after: the same power as /proc/PID/mem",
	},
}

var undoWays = []way{
	{
		name: "a wider sandbox inside", allow: "unix", try: nested(policy("unix,inet")), end: closed, seen: eacces,
		shown: "selector.Restrict with inet allowed, inside one without: policies intersect",
	}, {
		name: "a sandbox inside with the other errno", allow: "unix", try: nested(unsupported(policy("unix,inet,netlink"))), end: closed, seen: eacces,
		shown: "as above",
	}, {
		name: "a narrower sandbox inside", allow: "unix,inet", try: nested(policy("unix")), end: closed, seen: eacces, control: eacces,
		shown: "the inner one narrows",
	}, {
		name: "a filter of its own that allows all", allow: "unix", try: allowAllFilter(0), end: closed, seen: eacces,
		shown: "seccomp(SECCOMP_SET_MODE_FILTER): the strictest filter decides",
	}, {
		name: "the same on all threads", allow: "unix", try: allowAllFilter(unix.SECCOMP_FILTER_FLAG_TSYNC), end: closed, seen: eacces,
		shown: "with SECCOMP_FILTER_FLAG_TSYNC",
	}, {
		name: "no_new_privs off again", allow: "unix", try: undoNoNewPrivs, end: closed, seen: "EINVAL", control: "EINVAL",
		shown: "the kernel has no way back",
	}, {
		name: "seccomp off again", allow: "unix", try: undoSeccomp, end: closed, seen: "EINVAL", control: "EINVAL",
		shown: "the kernel has no way back",
	}, {
		name: "a setuid program", allow: "unix", root: true, asFiltered: true, try: setuid, image: setuidImage, end: closed, seen: eacces, exact: asRoot + eacces, control: asRoot + works, needs: []need{needSuid},
		shown: "a setuid root program that nobody starts becomes root without a sandbox; within seccomp it stays nobody, within bpflsm it becomes root: no inet socket in both",
	}, {
		name: "a tracer inside that rewrites a system call", allow: "unix", try: rewrite, end: closed, seen: eacces, amd64: true, needs: []need{needPtrace},
		shown: "traces its own child and turns a harmless call into socket(2) at its entry: the filter runs after the tracer",
	}, {
		name: "a tracer inside that suspends filters", allow: "unix", root: true, try: suspended, end: closed, seen: eperm, exact: eacces, amd64: true, needs: []need{needPtrace, needRestore},
		shown: "PTRACE_O_SUSPEND_SECCOMP: the kernel wants a tracer without filters",
	},
}

var insideWays = []way{
	{
		name: "a thread from before", allow: "unix", try: threadBefore, end: closed, seen: eacces,
		shown: "selector.Restrict covers all threads of the process",
	}, {
		name: "threads that are started at that moment", allow: "unix", try: threadsDuring, end: closed, seen: eacces,
		shown: "64 threads, most of them started while the process restricts itself",
	}, {
		name: "a forked child", allow: "unix", try: forkThen(0), end: closed, seen: eacces,
		shown: "clone(2) without exec",
	}, {
		name: "a child with vfork", allow: "unix", try: forkThen(unix.CLONE_VFORK), end: closed, seen: eacces,
		shown: "clone(CLONE_VFORK)",
	}, {
		name: "vfork and execve", allow: "unix", try: vforkExec, image: enterThen(inetSocket), end: closed, seen: eacces,
		shown: "a program that the sandboxed process starts",
	}, {
		name: "new user and network namespaces", allow: "unix", try: forkThen(unix.CLONE_NEWUSER | unix.CLONE_NEWNET), end: closed, seen: eacces, needs: []need{needUserNS},
		shown: "clone(CLONE_NEWUSER|CLONE_NEWNET): all capabilities there, and still no inet socket",
	}, {
		name: "personality(PER_LINUX32)", allow: "unix", try: linux32, end: closed, seen: eacces,
		shown: "changes what uname(2) says and nothing else",
	}, {
		name: "a 32-bit program: socket", allow: "unix", try: program386("direct", "inet"), end: closed, seen: eacces, amd64: true, needs: []need{need386},
		shown: "a static i386 program is executed and enters in 32-bit mode",
	}, {
		name: "a 32-bit program: socketcall", allow: "unix", try: program386("socketcall", "inet"), end: narrowed, finding: engine.FindingSocketcall, seen: eacces, exact: eacces, amd64: true, needs: []need{need386},
		shown: "as above; the arguments are in memory, so that every such call is denied",
	}, {
		name: "a 32-bit program: socketcall for an allowed socket", allow: "unix", try: program386("socketcall", "unix"), end: narrowed, finding: engine.FindingSocketcall, seen: eacces, exact: works, amd64: true, needs: []need{need386},
		shown: "what the narrowing costs",
	},
}

var keptWays = []way{
	{name: "system calls beside those that are decided", allow: "unix", try: keeps(plainCalls), end: kept, seen: works, shown: "getppid, pipes, eventfd, epoll, personality"},
	{name: "UNIX sockets of every type", allow: "unix", try: keeps(unixSockets), end: kept, seen: works, shown: "socket and socketpair with every flag, also with rubbish in the upper halves"},
	{name: "accept(2)", allow: "unix", try: keeps(accepted), end: kept, seen: works, shown: "listen, connect and accept on a UNIX socket"},
	{name: "PTRACE_TRACEME", allow: "unix", try: keeps(traceMe), end: kept, seen: works, amd64: true, needs: []need{needPtrace}, shown: "a debugger starts a program and reads its registers"},
	{name: "process_vm_readv(2)", allow: "unix", try: keeps(readMemory), end: kept, seen: works, shown: "reading memory makes no socket"},
	{name: "starting programs", allow: "unix", try: keeps(startsPrograms), end: kept, seen: works, shown: "with pipes"},
	{name: "unshare(CLONE_NEWNET)", allow: "unix", root: true, try: keeps(unshareNet), end: kept, seen: works, shown: "the kernel's own sockets for it are no requests of the program"},
	{name: "netlink where a rule allows it", allow: "unix,netlink/raw/route", try: keeps(routes), end: kept, seen: works, shown: "lists the network interfaces"},
	{name: "a 32-bit program: an allowed socket", allow: "unix", try: program386("direct", "unix"), end: kept, seen: works, amd64: true, needs: []need{need386}, shown: "by its own call number"},
	{name: "netlink where no rule allows it", allow: "unix", try: keeps(routes), end: closed, seen: eacces, shown: "fails cleanly"},
}
