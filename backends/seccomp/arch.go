// SPDX-License-Identifier: Apache-2.0

package seccomp

import "slices"

// machine is what a CPU architecture lets a process reach: its own system call
// table first, then the compat tables of the same kernel. A filter made for a
// machine kills whatever enters by another table.
type machine []table

// table is one system call ABI, as a filter tells it apart and with the calls
// that a filter has to decide. Numbers are from the kernel's syscall tables
// (arch/x86/entry/syscalls, arch/arm/tools/syscall.tbl, asm-generic/unistd.h).
type table struct {
	name  string
	audit uint32 // AUDIT_ARCH_* (linux/audit.h)
	// nrMask is applied to the call number first. x32 calls carry the audit arch
	// of x86-64 and bit 30; without the bit both ABIs are decided as one, which
	// also holds on kernels that accept x32 numbers without it.
	nrMask          uint32
	create          []uint32 // socket and socketpair: (family, type, protocol, …)
	socketcall      []uint32 // (call, pointer)
	ptrace          []uint32
	processVMWritev []uint32
	// send are the calls that can make a TCP connection by a message.
	send []sendCall
	// rings leaves io_uring alone: it has a filter of its own.
	rings bool
	// noFastOpen denies such connections: nobody else looks at their port.
	noFastOpen bool
}

// sendCall is a call and which of its arguments has the flags.
type sendCall struct{ nr, flags uint32 }

// Calls with the same number in every table: they are younger than the
// agreement on one number space (Linux 5.1).
const nrPidfdGetfd = 438

// uring are the calls of io_uring that a filter has to deny: setup, enter and register.
func (t table) uring() []uint32 {
	if t.rings {
		return nil
	}
	return []uint32{425, 426, 427}
}

// masked are the calls of create that have to be looked for behind the mask, too.
func (t table) masked() []uint32 {
	if t.nrMask == 0 {
		return nil
	}
	return t.create
}

// machines are those that there are filters for. It is a list and no map, which
// would be filled at every start.
var machines = []struct {
	goarch string
	tables machine
}{
	{"amd64", machine{
		{
			name: "x86-64 and x32", audit: 0xc000003e, nrMask: ^uint32(1 << 30),
			create: []uint32{41, 53}, ptrace: []uint32{101, 521}, processVMWritev: []uint32{311, 540},
			send: []sendCall{{44, 3}, {46, 2}, {307, 3}, {518, 2}, {538, 3}},
		},
		{
			name: "i386", audit: 0x40000003,
			create: []uint32{359, 360}, socketcall: []uint32{102}, ptrace: []uint32{26}, processVMWritev: []uint32{348},
			send: []sendCall{{369, 3}, {370, 2}, {345, 3}},
		},
	}},
	{"arm64", machine{
		{name: "arm64", audit: 0xc00000b7, create: []uint32{198, 199}, ptrace: []uint32{117}, processVMWritev: []uint32{271}, send: genericSend},
		{name: "arm", audit: 0x40000028, create: []uint32{281, 288}, ptrace: []uint32{26}, processVMWritev: []uint32{377}, send: []sendCall{{290, 3}, {296, 2}, {374, 3}}},
	}},
	{"riscv64", machine{
		{name: "riscv64", audit: 0xc00000f3, create: []uint32{198, 199}, ptrace: []uint32{117}, processVMWritev: []uint32{271}, send: genericSend},
		{name: "riscv32", audit: 0x400000f3, create: []uint32{198, 199}, ptrace: []uint32{117}, processVMWritev: []uint32{271}, send: genericSend},
	}},
}

// genericSend is by asm-generic/unistd.h.
var genericSend = []sendCall{{206, 3}, {211, 2}, {269, 3}}

// machineOf returns nil for an architecture that there is no filter for.
func machineOf(goarch string) machine {
	for _, m := range machines {
		if m.goarch == goarch {
			return m.tables
		}
	}
	return nil
}

// withRings is the machine where io_uring has a filter of its own.
func (m machine) withRings() machine {
	m = slices.Clone(m)
	for i := range m {
		m[i].rings = true
	}
	return m
}

// withoutFastOpen is the machine where no message makes a TCP connection.
func (m machine) withoutFastOpen() machine {
	m = slices.Clone(m)
	for i := range m {
		m[i].noFastOpen = true
	}
	return m
}

// hasSocketcall tells whether the machine has a table with socketcall(2).
func (m machine) hasSocketcall() bool {
	for _, t := range m {
		if len(t.socketcall) > 0 {
			return true
		}
	}
	return false
}
