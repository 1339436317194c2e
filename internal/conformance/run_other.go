// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package conformance

import (
	"context"
	"errors"

	"github.com/sockade/sockade/engine"
)

// Main is for Linux.
func Main([]engine.Backend) {}

// Run is for Linux.
func Run(context.Context, Config) (Report, error) {
	return Report{}, errors.New("conformance: there are no backends off Linux")
}
