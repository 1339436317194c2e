// SPDX-License-Identifier: Apache-2.0

package bypass

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/testutil"
)

// hello is the first line of an outsider.
type hello struct {
	PID int
	// Socket is a descriptor of a socket that the policy unix denies.
	Socket int
	// Word is the address of a word in the outsider, for ways that write to memory.
	Word uint64
}

// process is a running outsider: a process of the same user that was started
// before the sandbox and stays outside of it.
type process struct {
	hello
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// startOutsider starts one. It has files as descriptors 3 and up.
func startOutsider(files ...*os.File) (*process, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	cmd, err := testutil.Command(ctx, testutil.Child{Name: "outsider", Files: files}, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	p := &process{cmd: cmd}
	cmd.Cancel = func() error { cancel(); return cmd.Process.Kill() }
	cmd.Stderr = os.Stderr
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.lines = bufio.NewScanner(out)
	if !p.lines.Scan() {
		return nil, fmt.Errorf("the outsider says nothing: %w", cmd.Wait())
	}
	return p, json.Unmarshal(p.lines.Bytes(), &p.hello)
}

// ask sends a line and returns the answer.
func (p *process) ask(what string) (string, error) {
	if _, err := fmt.Fprintln(p.stdin, what); err != nil {
		return "", err
	}
	if !p.lines.Scan() {
		return "", fmt.Errorf("the outsider does not answer %q", what)
	}
	return p.lines.Text(), nil
}

// end lets the outsider end, and kills it where it does not.
func (p *process) end() {
	_ = p.stdin.Close()
	timer := time.AfterFunc(2*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	_ = p.cmd.Wait()
}

// withOutsider makes a try of a step that goes through an outsider.
func withOutsider(f func(p *process) (string, error)) try {
	return func(s *sandbox) (string, error) {
		p, err := startOutsider()
		if err != nil {
			return "", err
		}
		defer p.end()
		if err := s.enter(); err != nil {
			return "", err
		}
		return f(p)
	}
}

// peek reads a word by its address, which takes no unsafe pointer this way.
func peek(pid int, at uintptr) (uint64, error) {
	word := make([]byte, 8)
	local := []unix.Iovec{{Base: &word[0]}}
	local[0].SetLen(len(word))
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: at, Len: len(word)}}, 0)
	return binary.NativeEndian.Uint64(word), err
}

// outsider is the child function: it answers questions until its stdin ends.
func outsider([]byte) (any, error) {
	runtime.LockOSThread()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	at, err := lowMemory()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(hello{os.Getpid(), fd, uint64(at)})
	if err != nil {
		return nil, err
	}
	fmt.Println(string(line))
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch in.Text() {
		case "word":
			word, err := peek(os.Getpid(), at)
			if err != nil {
				return nil, err
			}
			fmt.Println(word)
		case "send": // the socket, over the UNIX socket that is descriptor 3
			if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(fd), nil, 0); err != nil {
				return nil, err
			}
			fmt.Println("sent")
		default:
			return nil, fmt.Errorf("BUG(bypass): outsider is asked %q", in.Text())
		}
	}
	return nil, in.Err()
}
