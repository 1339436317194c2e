// SPDX-License-Identifier: Apache-2.0

// Package guest runs static programs on other kernels: in QEMU, by emulation,
// with an initramfs that holds nothing but them and package init's program.
//
// The way of a run: [Fetch] gets a kernel → [Boot] packs the initramfs, starts
// QEMU and reads a [Result] for every [Step] from the guest's second serial port,
// on which the kernel prints nothing → QEMU ends with the guest.
package guest
