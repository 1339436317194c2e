// SPDX-License-Identifier: Apache-2.0

package engine

import "strconv"

// named is a number with a name. In a table the first entry with a number is
// the one that is printed, later ones are aliases. The tables are slices and
// not maps, so that importing the package costs nothing at start.
type named struct {
	name   string
	number int32
}

// knownFamilies is the AF_MAX of the table: families 0 to 45 have names.
const knownFamilies int32 = 46

// familyNames are the address families of linux/socket.h up to 7.3.
var familyNames = []named{
	{"unspec", afUNSPEC},
	{"unix", 1},
	{"inet", 2},
	{"ax25", 3},
	{"ipx", 4},
	{"appletalk", 5},
	{"netrom", 6},
	{"bridge", 7},
	{"atmpvc", 8},
	{"x25", 9},
	{"inet6", 10},
	{"rose", 11},
	{"decnet", 12},
	{"netbeui", 13},
	{"security", 14},
	{"key", 15},
	{"netlink", 16},
	{"packet", 17},
	{"ash", 18},
	{"econet", 19},
	{"atmsvc", 20},
	{"rds", 21},
	{"sna", 22},
	{"irda", 23},
	{"pppox", 24},
	{"wanpipe", 25},
	{"llc", 26},
	{"ib", 27},
	{"mpls", 28},
	{"can", 29},
	{"tipc", 30},
	{"bluetooth", 31},
	{"iucv", 32},
	{"rxrpc", 33},
	{"isdn", 34},
	{"phonet", 35},
	{"ieee802154", 36},
	{"caif", 37},
	{"alg", 38},
	{"nfc", 39},
	{"vsock", 40},
	{"kcm", 41},
	{"qipcrtr", 42},
	{"smc", 43},
	{"xdp", 44},
	{"mctp", 45},
	{"local", 1},
	{"file", 1},
	{"route", 16},
}

// typeNames are the socket types of linux/net.h.
var typeNames = []named{
	{"stream", 1},
	{"dgram", 2},
	{"raw", 3},
	{"rdm", 4},
	{"seqpacket", 5},
	{"dccp", 6},
	{"packet", 10},
}

// FamilyName returns the kernel's name of an address family in lower case, or
// the number where there is none.
func FamilyName(family int32) string { return nameOf(familyNames, family) }

// TypeName returns the name of a socket type without flags, or the number.
func TypeName(typ int32) string { return nameOf(typeNames, typ) }

func nameOf(table []named, number int32) string {
	for _, n := range table {
		if n.number == number {
			return n.name
		}
	}
	return strconv.Itoa(int(number))
}

func lookup(table []named, name string) (int32, bool) {
	for _, n := range table {
		if n.name == name {
			return n.number, true
		}
	}
	return 0, false
}
