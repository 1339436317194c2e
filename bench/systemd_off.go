// SPDX-License-Identifier: Apache-2.0

//go:build !libseccomp || !linux || !cgo

package bench

import "errors"

const noSystemd = "not in this build: it takes cgo, libseccomp's headers and go build -tags libseccomp"

func loadSystemd() error { return errors.New(noSystemd) }
