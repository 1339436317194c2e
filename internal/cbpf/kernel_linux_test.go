// SPDX-License-Identifier: Apache-2.0

package cbpf

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/testutil"
)

// The kernel is asked in a child: this test binary with childEnv set to
// "mode seed". It makes the same programs from the seed, loads them on threads
// that end afterwards, and reports one line per program on descriptor 3.
const childEnv = "SOCKADE_CBPF_CHILD"

func TestMain(m *testing.M) {
	if arg, ok := os.LookupEnv(childEnv); ok {
		if err := child(arg, os.NewFile(3, "report")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(testutil.RunTests(m))
}

func child(arg string, report *os.File) error {
	mode, number, _ := strings.Cut(arg, " ")
	seed, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(report)
	switch mode {
	case "check":
		batches(checkPrograms(seed), func(_ int, p Program) { fmt.Fprintln(out, int(load(p))) })
	case "run":
		batches(runPrograms(seed), func(i int, p Program) {
			if errno := load(p); errno != 0 {
				fmt.Fprintf(out, "load: %v\n", errno)
				return
			}
			d := runData(seed, i)
			_, _, errno := unix.RawSyscall6(uintptr(d.Nr), uintptr(d.Args[0]), uintptr(d.Args[1]), uintptr(d.Args[2]), uintptr(d.Args[3]), uintptr(d.Args[4]), uintptr(d.Args[5]))
			fmt.Fprintln(out, int(errno))
		})
	}
	fmt.Fprintln(out, "end")
	return out.Flush()
}

// batches keeps the filters of one thread below MAX_INSNS_PER_PATH, 32768
// instructions with 4 on top of each program. The kernel counts them after
// bpf_convert_filter, which makes up to 5 out of one and a prologue. A
// goroutine that ends locked takes its thread with it.
func batches(programs []Program, each func(int, Program)) {
	for next := 0; next < len(programs); {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread()
			for budget := 32768; next < len(programs); next++ {
				if budget -= 5*len(programs[next]) + 8; budget < 0 {
					return
				}
				each(next, programs[next])
			}
		}()
		<-done
	}
}

func load(p Program) unix.Errno {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err) // since Linux 3.5 it cannot fail
	}
	prog := unix.SockFprog{Len: uint16(len(p))}
	if len(p) > 0 {
		prog.Filter = (*unix.SockFilter)(unsafe.Pointer(&p[0]))
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	return errno
}

func ask(t *testing.T, mode string, seed uint64, n int) []string {
	t.Helper()
	missing := ""
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&[]uint32{RetAllow}[0]))); errno == unix.ENOSYS {
		missing = "the kernel has no seccomp filters"
	}
	testutil.Need(t, "seccomp", missing, "build it with CONFIG_SECCOMP_FILTER")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// A verdict that kills ends a thread of the child, which then waits for it
	// for ever: take silence as a failure.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", childEnv, mode, seed))
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	var lines []string
	for s := bufio.NewScanner(r); s.Scan(); {
		lines = append(lines, s.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("child: %v", err)
	}
	if len(lines) != n+1 || lines[n] != "end" {
		t.Fatalf("child reported %d lines for %d programs", len(lines), n)
	}
	return lines[:n]
}

// checkPrograms all start with a ret, so none of the rest, which may kill,
// ever runs; the kernel checks it all the same.
func checkPrograms(seed uint64) (out []Program) {
	r := rand.New(rand.NewPCG(seed, 1))
	allow := bpf.RawInstruction{Op: opRetK, K: RetAllow}
	for i := range 4000 {
		p := slices.Insert(randomProgram(r, 1+r.IntN(20)), 0, allow)
		for range i % 4 {
			mutate(r, p[1:])
		}
		out = append(out, p)
	}
	for op := range 0x200 { // every opcode there may be, with operands in and out of bounds
		for _, k := range []uint32{0, 1, 32} {
			out = append(out, Program{allow, {Op: opSt, K: 1}, {Op: uint16(op), K: k}, allow, allow})
		}
	}
	for _, n := range []int{1, 4095, 4096, 4097} {
		out = append(out, slices.Repeat(Program{allow}, n))
	}
	return append(out, nil)
}

func TestCheckAgainstKernel(t *testing.T) {
	seed := newRand(t).Uint64()
	programs := checkPrograms(seed)
	accepted := 0
	for i, answer := range ask(t, "check", seed, len(programs)) {
		p := programs[i]
		err := Check(p)
		switch {
		case answer == "0" && err == nil:
			accepted++
		case answer == strconv.Itoa(int(unix.EINVAL)) && err != nil:
		default:
			t.Errorf("program %d: kernel says errno %s, Check says %v\n%s", i, answer, err, p)
		}
	}
	t.Logf("%d programs accepted by both, %d rejected by both", accepted, len(programs)-accepted)
	if accepted < 1000 || len(programs)-accepted < 1000 {
		t.Error("too one-sided to say anything")
	}
}

const runCount = 1500

func runData(seed uint64, i int) Data {
	r := rand.New(rand.NewPCG(seed, 1000+uint64(i)))
	d := randomData(r)
	d.Nr = int32(5000 + i) // no system call on any arch
	return d
}

// runPrograms compute something for a call number of their own and return 12
// bits of it as an errno. Programs that Run ends otherwise (by a ret of their
// own or a division by 0) are left out: they might kill.
func runPrograms(seed uint64) (out []Program) {
	r := rand.New(rand.NewPCG(seed, 2))
	for len(out) < runCount {
		nr := uint32(5000 + len(out))
		p := Program{{Op: opLdAbs}, {Op: classJmp | uint16(JEQ), K: nr, Jt: 1}, {Op: opRetK, K: RetAllow}}
		body := randomProgram(r, 3+r.IntN(30))
		body = body[:len(body)-1]
		for i := range body {
			switch {
			case body[i].Op&7 == 6, body[i].Op == opLdAbs && body[i].K < 16: // no ret; no arch, no ip
				body[i] = bpf.RawInstruction{Op: opLdAbs, K: 16 + uint32(4*r.IntN(12))}
			}
		}
		p = append(p, body...)
		p = append(p, Program{
			{Op: opSt},
			{Op: classAlu | aluRsh, K: 13},
			{Op: opTax},
			{Op: opLdMem},
			{Op: classAlu | aluXor | srcX}, // fold the high bits in
			{Op: classAlu | aluAnd, K: 0x7ff},
			{Op: classAlu | aluAdd, K: retErrno + 1},
			{Op: opRetA},
		}...)
		verdict, _, err := p.Run(runData(seed, len(out)))
		// ERESTARTSYS and its kind (linux/errno.h): a signal at that moment, such as
		// Go's to preempt, makes the kernel restart the call or return EINTR.
		restarts := verdict >= retErrno+512 && verdict <= retErrno+516
		if Check(p) == nil && err == nil && verdict > retErrno && !restarts {
			out = append(out, p)
		}
	}
	return out
}

func TestRunAgainstKernel(t *testing.T) {
	missing := ""
	if unsafe.Sizeof(uintptr(0)) < 8 {
		missing = "arguments are 32 bits wide here, and the data of this test has 64"
	}
	testutil.Need(t, "64-bit arguments", missing, "run the tests on a 64-bit machine")
	seed := newRand(t).Uint64()
	programs := runPrograms(seed)
	for i, answer := range ask(t, "run", seed, len(programs)) {
		verdict, _, err := programs[i].Run(runData(seed, i))
		if want := strconv.Itoa(int(verdict & 0xffff)); err != nil || answer != want {
			t.Errorf("program %d: kernel returns errno %s, Run %s, %v\n%s", i, answer, want, err, programs[i])
		}
	}
}
