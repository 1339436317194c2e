// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func Int80(nr, bx, cx, dx, si, di, bp uintptr) (ret int32)
// The frame makes the assembler save and restore BP around the body.
TEXT ·Int80(SB), NOSPLIT, $8-60
	MOVQ nr+0(FP), AX
	MOVQ bx+8(FP), BX
	MOVQ cx+16(FP), CX
	MOVQ dx+24(FP), DX
	MOVQ si+32(FP), SI
	MOVQ di+40(FP), DI
	MOVQ bp+48(FP), BP
	INT  $0x80
	MOVL AX, ret+56(FP)
	RET
