// SPDX-License-Identifier: Apache-2.0

//go:build linux && !amd64

package conformance

func archEntries() []entry { return nil }

func tryInt80() {}

func needsInt80(string) bool { return false }
