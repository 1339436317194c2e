// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"

// func together(calls *Call, n int)
//
// The scheduler moves no goroutine to another thread within an assembly function
// (isAsyncSafePoint in runtime/preempt.go).
TEXT ·together(SB), NOSPLIT, $0-16
	MOVQ calls+0(FP), R12
	MOVQ n+8(FP), R13

next:
	TESTQ R13, R13
	JZ    done
	MOVQ  0(R12), AX
	MOVQ  8(R12), DI
	MOVQ  16(R12), SI
	MOVQ  24(R12), DX
	MOVQ  32(R12), R10
	MOVQ  40(R12), R8
	MOVQ  48(R12), R9
	SYSCALL
	MOVQ  AX, 56(R12)
	CMPQ  AX, $-4095
	JCC   done // -errno
	ADDQ  $64, R12
	DECQ  R13
	JMP   next

done:
	RET
