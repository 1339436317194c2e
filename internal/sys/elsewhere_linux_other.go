// SPDX-License-Identifier: Apache-2.0

//go:build linux && !amd64

package sys

import "errors"

var errNoVfork = errors.New("not on this architecture")

func inVfork([]Call) error { return errNoVfork }
