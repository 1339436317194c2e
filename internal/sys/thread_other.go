// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package sys

func isLeader() bool { return false }

func threadGone() func() bool { return func() bool { return true } }
