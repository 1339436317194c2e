// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package landlock

import (
	"errors"

	"github.com/sockade/sockade/engine"
)

var errNoLinux = errors.New("Landlock is a part of Linux only")

func probe(engine.Depth) engine.Support { return engine.Support{Reason: errNoLinux.Error()} }

func prepare(engine.Policy, engine.Support) (engine.Layer, error) { return nil, errNoLinux }
