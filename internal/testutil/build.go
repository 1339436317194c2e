// SPDX-License-Identifier: Apache-2.0

package testutil

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// EnvPrograms names a directory with programs that were built before, for machines
// without a Go toolchain: GOARCH/PACKAGE in it.
const EnvPrograms = "SOCKADE_PROGRAMS"

// EnvGuest is set where the tests have the machine for themselves: in a guest.
const EnvGuest = "SOCKADE_GUEST"

// module is what the packages are in.
const module = "github.com/sockade/sockade/"

// Build returns the path of the program of one of this module's packages, for an
// architecture: one that was built before, else one that it builds into dir.
// missing says why there can be none.
func Build(dir, pkg, goarch string) (program, missing string, err error) {
	if built := os.Getenv(EnvPrograms); built != "" {
		program = filepath.Join(built, goarch, pkg)
		if _, err := os.Stat(program); err != nil {
			return "", err.Error(), nil
		}
		return program, "", nil
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", "no Go toolchain", nil
	}
	program = filepath.Join(dir, filepath.Base(pkg)+"-"+goarch)
	cmd := exec.Command("go", "build", "-o", program, module+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", "", fmt.Errorf("go build %s for %s: %w: %s", pkg, goarch, err, out)
	}
	return program, "", nil
}
