// SPDX-License-Identifier: Apache-2.0

// Socket32 is built for GOARCH=386 by the bypass tests. It asks for an inet
// socket, or for a UNIX one, by the entry that its arguments name, and prints
// the errno.
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	sysSocketcall = 102
	sysSocket     = 359
)

func main() {
	family := map[string]uint32{"unix": syscall.AF_UNIX, "inet": syscall.AF_INET}[os.Args[2]]
	var errno syscall.Errno
	switch os.Args[1] {
	case "direct":
		_, _, errno = syscall.RawSyscall(sysSocket, uintptr(family), syscall.SOCK_STREAM, 0)
	case "socketcall":
		args := [3]uint32{family, syscall.SOCK_STREAM, 0}
		_, _, errno = syscall.RawSyscall(sysSocketcall, 1, uintptr(unsafe.Pointer(&args)), 0)
	}
	fmt.Println(int(errno))
}
