// SPDX-License-Identifier: Apache-2.0

// Package sys has the system calls that golang.org/x/sys/unix lacks, and the
// only unsafe code of Sockade.
package sys
