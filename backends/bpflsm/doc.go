// SPDX-License-Identifier: Apache-2.0

// Package bpflsm will enforce a policy with a BPF program on the LSM hook socket_create. It is in the
// table of backends so that plans name it, and it is never available yet.
package bpflsm
