// SPDX-License-Identifier: Apache-2.0

package bpflsm

// Version is that of the programs, the beginning of the SHA-256 of their objects.
// It follows them by: go test ./backends/bpflsm/loader -run TestVersion -update.
const Version = "f7fa9c645691c149"
