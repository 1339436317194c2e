// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"
#include "call_linux_amd64.h"

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
	MAKE_CALL
	CMPQ  AX, $-4095
	JCC   done // -errno
	ADDQ  $64, R12
	DECQ  R13
	JMP   next

done:
	RET
