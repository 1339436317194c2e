// SPDX-License-Identifier: Apache-2.0

// Package bypass is one table of the known ways around a socket filter, and of
// what happens to each. It has tests only: ways_linux_test.go is the table,
// the try_* files are the attempts, bypass_linux_test.go judges them, and
// docs/bypass.md is written from the table by
//
//	go test ./internal/bypass -update
package bypass
