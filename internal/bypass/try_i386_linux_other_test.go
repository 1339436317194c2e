// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package bypass

// The rows that use these are for amd64.

var attachInt80 try

func int80(uintptr, uintptr, uintptr, uintptr, uintptr) func() (string, error) { return nil }

func int80Words(uintptr, uintptr, ...uint32) func() (string, error) { return nil }

func int80Pair() (string, error) { panic("BUG(bypass): amd64 only") }

func int80Works([]byte) (any, error) { panic("BUG(bypass): amd64 only") }

func needInt80(bool) (capability, missing, fix string) { return "i386", "", "" }
