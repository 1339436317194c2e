// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/cbpf"
	"github.com/sockade/sockade/internal/sys"
)

// fault is something that is missing or denied to one process.
type fault struct {
	name  string
	apply func() error
	root  bool // takes root
	// needed is what a Go test needs itself, and sockade does not.
	needed bool
	// refusal is what the one line says; empty where the policy is enforced all
	// the same, and "*" where either may happen.
	refusal string
	// verify is what the one line of verify says, where it cannot be run.
	verify string
	// noFilter is set where none can be loaded: seccomp is not available.
	noFilter bool
}

var faults = []fault{
	{name: "none", apply: func() error { return nil }},
	{name: "seccomp denied", apply: denied(unix.SYS_SECCOMP, unix.EPERM), refusal: "an outer sandbox", verify: "not available", noFilter: true},
	{name: "seccomp not there", apply: denied(unix.SYS_SECCOMP, unix.ENOSYS), refusal: "CONFIG_SECCOMP_FILTER", verify: "not available", noFilter: true},
	{name: "prctl denied", apply: denied(unix.SYS_PRCTL, unix.EPERM), refusal: "no_new_privs", verify: "not available", noFilter: true},
	{name: "prctl not there", apply: denied(unix.SYS_PRCTL, unix.ENOSYS), refusal: "no_new_privs", verify: "not available", noFilter: true},
	{name: "socket denied", apply: denied(unix.SYS_SOCKET, unix.EPERM), verify: "an outer sandbox"},
	{name: "getdents denied", apply: denied(unix.SYS_GETDENTS64, unix.EPERM), refusal: "list open files"},
	{name: "eventfd denied", apply: denied(unix.SYS_EVENTFD2, unix.EPERM), refusal: "*", needed: true},
	{name: "io_uring denied", apply: denied(unix.SYS_IO_URING_REGISTER, unix.EACCES)},
	{name: "execve denied", apply: denied(unix.SYS_EXECVEAT, unix.EPERM)},
	{name: "no /proc", root: true, apply: unmounted("/proc"), refusal: "mount /proc", verify: "/proc"},
	{name: "no /sys", root: true, apply: unmounted("/sys")},
	{name: "no /dev", root: true, apply: unmounted("/dev"), verify: "/dev/null"},
	{name: "read-only root", root: true, apply: readOnly},
	{name: "no memory to lock", apply: limited(unix.RLIMIT_MEMLOCK, 0)},
	{name: "no files to write", apply: limited(unix.RLIMIT_FSIZE, 0), refusal: "*", verify: "ulimit -f"},
	{name: "64 open files", root: true, apply: limited(unix.RLIMIT_NOFILE, 64), verify: "ulimit -n"},
	{name: "no stack to speak of", apply: limited(unix.RLIMIT_STACK, 128<<10), refusal: "*"},
}

// bpfFaults are those of the backend bpflsm, where the programs are loaded and where
// they are to be loaded.
var bpfFaults = []struct {
	fault
	loaded, unloaded string // as fault.refusal
}{
	{fault: fault{name: "none"}},
	{fault: fault{name: "seccomp denied"}},
	{fault: fault{name: "getdents denied"}, loaded: "list open files", unloaded: "*"},
	{fault: fault{name: "no memory to lock"}},
	{fault: fault{name: "64 open files"}},
	{fault: fault{name: "no /proc"}, loaded: "mount /proc", unloaded: "*"},
	{fault: fault{name: "no /sys"}, loaded: "mount -t sysfs", unloaded: "mount -t sysfs"},
	{fault: fault{name: "prctl denied"}, loaded: "prctl(2)", unloaded: "prctl(2)"},
	{fault: fault{name: "prctl not there"}, loaded: "prctl(2)", unloaded: "prctl(2)"},
	{fault: fault{name: "socket denied"}, loaded: "an outer sandbox", unloaded: "an outer sandbox"},
	{fault: fault{name: "bpf denied", apply: denied(unix.SYS_BPF, unix.EPERM)}, unloaded: "an outer sandbox denies bpf(2)"},
	{fault: fault{name: "bpf not there", apply: denied(unix.SYS_BPF, unix.ENOSYS)}, unloaded: "use another backend"},
	{fault: fault{name: "no bpffs", apply: unmounted("/sys/fs/bpf")}, loaded: "mount -t bpf", unloaded: "mount -t bpf"},
	{fault: fault{name: "no capabilities for BPF", apply: withoutCapabilities}, unloaded: "CAP_BPF"},
	{fault: fault{name: "3 open files"}, loaded: "*", unloaded: "*"},
	{fault: fault{name: "5 open files"}, loaded: "*", unloaded: "*"},
	{fault: fault{name: "7 open files"}, loaded: "*", unloaded: "*"},
}

// portFaults are those of a policy about ports, by Landlock.
var portFaults = []fault{
	{name: "none"},
	{name: "landlock denied", apply: denied(unix.SYS_LANDLOCK_CREATE_RULESET, unix.EPERM), refusal: "ports"},
	{name: "landlock not there", apply: denied(unix.SYS_LANDLOCK_CREATE_RULESET, unix.ENOSYS), refusal: "ports"},
	{name: "landlock rules denied", apply: denied(unix.SYS_LANDLOCK_ADD_RULE, unix.EPERM), refusal: "ports"},
	{name: "landlock domains denied", apply: denied(unix.SYS_LANDLOCK_RESTRICT_SELF, unix.EPERM), refusal: "ports"},
	{name: "seccomp denied", refusal: "*"}, // Landlock alone is enough where it has socket rules
	{name: "prctl denied", refusal: "ports"},
	{name: "64 open files"},
	{name: "7 open files", refusal: "*"},
}

// withoutCapabilities is root without what loading programs takes.
func withoutCapabilities() error {
	for _, c := range []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON} {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return err
		}
	}
	return nil // the program that is executed next has them no more
}

func init() {
	for n := range uint64(9) {
		faults = append(faults, fault{name: fmt.Sprintf("%d open files", n), apply: limited(unix.RLIMIT_NOFILE, n), refusal: "*", needed: true})
	}
}

func find(name string) fault {
	for _, f := range faults {
		if f.name == name {
			return f
		}
	}
	for _, f := range bpfFaults {
		if f.name == name {
			return f.fault
		}
	}
	for _, f := range portFaults {
		if f.name == name {
			return f
		}
	}
	panic("BUG(faults): no fault " + name)
}

func apply(name string) error { return find(name).apply() }

// denied is an outer sandbox that denies one call.
func denied(nr uint32, errno unix.Errno) func() error {
	return func() error {
		var b cbpf.Builder
		deny, allow := b.Ret(cbpf.RetErrno(uint16(errno))), b.Ret(cbpf.RetAllow)
		prog, err := b.Assemble(b.Load(0, b.Jump(cbpf.JEQ, nr, deny, allow)))
		if err != nil {
			return err
		}
		return sys.SeccompFilter(prog, unix.SECCOMP_FILTER_FLAG_TSYNC)
	}
}

// ownMounts gives the process a view of its own of what is mounted.
func ownMounts() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
}

func unmounted(dir string) func() error {
	return func() error {
		if err := ownMounts(); err != nil {
			return err
		}
		return unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// readOnly has nothing in the file system that can be written to.
func readOnly() error {
	if err := ownMounts(); err != nil {
		return err
	}
	for _, dir := range []string{"/", "/tmp"} {
		err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
		if err != nil && !strings.HasPrefix(dir, "/tmp") { // which need not be a mount
			return err
		}
	}
	return nil
}

func limited(resource int, n uint64) func() error {
	return func() error { return unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n}) }
}
