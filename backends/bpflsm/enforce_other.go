// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package bpflsm

import (
	"errors"

	"github.com/sockade/sockade/engine"
)

var errNoLinux = errors.New("bpflsm: BPF programs on LSM hooks are Linux only")

func probe(engine.Depth) engine.Support { return engine.Support{Reason: errNoLinux.Error()} }

func prepare(*Table) (engine.Layer, error) { return nil, errNoLinux }
