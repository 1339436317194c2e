// SPDX-License-Identifier: Apache-2.0

package bypass

import "golang.org/x/sys/unix"

// needX32 asks for a harmless call by its x32 number.
func needX32(bool) (capability, missing, fix string) {
	if _, _, errno := unix.RawSyscall(unix.SYS_GETPPID|x32Bit, 0, 0, 0); errno != 0 {
		missing = "this kernel has no x32 calls: " + errno.Error()
	}
	return "x32", missing, "boot a kernel with CONFIG_X86_X32_ABI"
}

// needWideNumber asks for a harmless call with rubbish above its number, which
// kernels before 5.13 looked at.
func needWideNumber(bool) (capability, missing, fix string) {
	if _, _, errno := unix.RawSyscall(rubbish|unix.SYS_GETPPID, 0, 0, 0); errno != 0 {
		missing = "this kernel looks at all of rax: " + errno.Error()
	}
	return "eax", missing, "boot Linux 5.13 or later"
}
