// SPDX-License-Identifier: Apache-2.0

package engine

// Any in a rule's type or protocol means every one.
const Any int32 = -1

// The bounds of what a rule may name, those of native Landlock socket rules,
// so that every policy can be enforced by every backend.
const (
	maxFamily   = 254
	maxType     = 254
	maxProtocol = 65534
	// lastType is the highest type that "any type" stands for: SOCK_PACKET, the
	// last one assigned. A kernel that grows another keeps it denied.
	lastType = sockPacket
)

// Families, types and protocols that the semantics speak of (linux/socket.h,
// linux/net.h, linux/in.h).
const (
	afUNSPEC     = 0
	afUNIX       = 1
	afINET       = 2
	afATMPVC     = 8
	afINET6      = 10
	afKey        = 15
	afNetlink    = 16
	afPacket     = 17
	afPPPOX      = 24
	afLLC        = 26
	afCAN        = 29
	afBluetooth  = 31
	afRXRPC      = 33
	afPhonet     = 35
	afIEEE802154 = 36
	afCAIF       = 37
	afALG        = 38
	afNFC        = 39
	afVSOCK      = 40
	afKCM        = 41
	afQIPCRTR    = 42
	afSMC        = 43

	sockStream    = 1
	sockDgram     = 2
	sockRaw       = 3
	sockSeqpacket = 5
	sockPacket    = 10

	protoUNIX   = 1
	protoPhonet = 1
	protoICMP   = 1
	protoPipe   = 2
	protoTCP    = 6
	protoUDP    = 17
	protoVSOCK  = 40
	protoICMPv6 = 58
	protoSCTP   = 132
	protoMPTCP  = 262
)
