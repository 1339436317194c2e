// SPDX-License-Identifier: Apache-2.0

package bench

// peers are other programs that restrict sockets, each with the usual list.
func peers() []State {
	return []State{{
		Name: "systemd", What: "a filter as systemd makes it of RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
		floor: seccompFloor, enter: loadSystemd, missing: noSystemd,
	}, {
		Name: "firejail", What: "firejail --protocol=unix,inet,inet6,netlink",
		floor: seccompFloor,
		wrap:  []string{"firejail", "--quiet", "--noprofile", "--protocol=unix,inet,inet6,netlink", "--"},
	}}
}
