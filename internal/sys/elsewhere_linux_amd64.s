// SPDX-License-Identifier: Apache-2.0

#include "textflag.h"
#include "call_linux_amd64.h"

#define SYS_rt_sigprocmask 14
#define SYS_clone 56
#define SYS_exit 60
#define CLONE_VM_VFORK 0x4100

// func vforkCalls(calls *Call, n int) (pid int)
//
// The child runs on the parent's stack, which is safe as it writes nothing to
// it: it makes system calls and exits, all of it in this function. Signals are
// blocked until then, since a Go handler must not run in the child.
TEXT ·vforkCalls(SB), NOSPLIT, $16-24
	MOVQ calls+0(FP), R12
	MOVQ n+8(FP), R13

	MOVQ $-1, AX
	MOVQ AX, mask-16(SP)
	MOVL $SYS_rt_sigprocmask, AX
	MOVL $2, DI // SIG_SETMASK
	LEAQ mask-16(SP), SI
	LEAQ old-8(SP), DX
	MOVL $8, R10
	SYSCALL

	MOVL $SYS_clone, AX
	MOVL $CLONE_VM_VFORK, DI // no signal when it ends
	XORL SI, SI
	XORL DX, DX
	XORL R10, R10
	XORL R8, R8
	SYSCALL
	TESTQ AX, AX
	JNZ   parent

next:
	TESTQ R13, R13
	JZ    exit
	MAKE_CALL
	ADDQ  $64, R12
	DECQ  R13
	JMP   next

exit:
	MOVL $SYS_exit, AX
	XORL DI, DI
	SYSCALL
	INT  $3

parent:
	MOVQ AX, pid+16(FP)
	MOVL $SYS_rt_sigprocmask, AX
	MOVL $2, DI
	LEAQ old-8(SP), SI
	XORL DX, DX
	MOVL $8, R10
	SYSCALL
	RET
