// SPDX-License-Identifier: Apache-2.0

// MAKE_CALL makes the system call of the Call that R12 points to.
#define MAKE_CALL \
	MOVQ 0(R12), AX; \
	MOVQ 8(R12), DI; \
	MOVQ 16(R12), SI; \
	MOVQ 24(R12), DX; \
	MOVQ 32(R12), R10; \
	MOVQ 40(R12), R8; \
	MOVQ 48(R12), R9; \
	SYSCALL; \
	MOVQ AX, 56(R12)
