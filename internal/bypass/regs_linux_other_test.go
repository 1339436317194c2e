// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package bypass

import "golang.org/x/sys/unix"

// The rows that would need these are for amd64.

func setCall(*unix.PtraceRegs, uint64, uint64, uint64, uint64) { panic("BUG(bypass): amd64 only") }

func result(*unix.PtraceRegs) int64 { panic("BUG(bypass): amd64 only") }
