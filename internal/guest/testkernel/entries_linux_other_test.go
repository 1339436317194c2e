// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package testkernel

import (
	"testing"

	"golang.org/x/sys/unix"
)

func otherEntries(*testing.T, uintptr) map[string]unix.Errno { return nil }
