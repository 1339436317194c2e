// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
)

// Kernel is a kernel to test on: a line of releases in one of Debian's suites.
type Kernel struct {
	Suite, Line, Arch string
}

// HasPorts tells whether its Landlock has rules for ports (Linux 6.7).
func (k Kernel) HasPorts() bool { return k.Line != "5.10" && k.Line != "6.1" }

func (k Kernel) String() string { return k.Line + " " + k.Arch }

// Kernels are those that users have, from the oldest that Sockade supports on.
// The next one is one more line here.
var Kernels = []Kernel{
	{"bullseye", "5.10", "amd64"},
	{"bookworm", "6.1", "amd64"},
	{"trixie", "6.12", "amd64"},
	{"trixie-backports", "6.18", "amd64"},
	{"trixie-backports", "7.1", "amd64"},
	{"trixie-backports", "7.3", "amd64"},
	{"trixie", "6.12", "arm64"},
}

// Newest is the newest of them.
var Newest = Kernels[5]

// From Linux 7.2 on the image is in linux-binary and linux-image is empty; cloud
// kernels are small and have what a guest needs built in.
var (
	vmlinuz = regexp.MustCompile(`^\./(boot/vmlinuz-|usr/lib/modules/[^/]*/vmlinuz$)`)
	busybox = regexp.MustCompile(`^\./(usr/)?bin/busybox$`)
)

// CacheDir makes and returns the directory in which kernels are kept by default.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "sockade-guests")
	return dir, os.MkdirAll(dir, 0o755)
}

// Fetch returns the path of the kernel's image.
func (k Kernel) Fetch(ctx context.Context, cache string) (string, error) {
	pattern := regexp.MustCompile(`^linux-(binary|image)-` + regexp.QuoteMeta(k.Line) + `\.[0-9.+a-z~-]*cloud-` + k.Arch + `$`)
	p := Package{k.Suite, k.Arch, pattern}
	return Fetch(ctx, cache, p, vmlinuz)
}

// FetchBusybox returns the path of a static busybox for the architecture.
func FetchBusybox(ctx context.Context, cache, arch string) (string, error) {
	return Fetch(ctx, cache, Package{"trixie", arch, regexp.MustCompile(`^busybox-static$`)}, busybox)
}
