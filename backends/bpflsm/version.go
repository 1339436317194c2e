// SPDX-License-Identifier: Apache-2.0

package bpflsm

// Version is that of the programs, the beginning of the SHA-256 of their objects.
// It follows them by: go test ./backends/bpflsm/loader -run TestVersion -update.
const Version = "2ee4cdf7f14666e8"
