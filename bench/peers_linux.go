// SPDX-License-Identifier: Apache-2.0

package bench

// peers are other programs that restrict sockets, each with the usual list.
func peers() []State {
	return []State{{
		Name: "firejail", What: "firejail --protocol=unix,inet,inet6,netlink",
		floor: seccompFloor,
		wrap:  []string{"firejail", "--quiet", "--noprofile", "--protocol=unix,inet,inet6,netlink", "--"},
	}}
}
