// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/engine"
)

// readPolicy reads a policy file, or standard input for "-". Of a file without
// end, such as /dev/zero, it reads no more than the limit.
func readPolicy(name string, stdin io.Reader) (engine.Spec, error) {
	source := stdin
	if name == "-" {
		name = "standard input"
	} else {
		file, err := os.Open(name)
		if err != nil {
			return engine.Spec{}, policyError(name, err)
		}
		defer func() { _ = file.Close() }()
		source = file
	}
	text, err := io.ReadAll(io.LimitReader(source, engine.MaxPolicyBytes+1))
	switch {
	case err != nil:
		return engine.Spec{}, policyError(name, err)
	case len(text) > engine.MaxPolicyBytes:
		return engine.Spec{}, fmt.Errorf("policy %s: larger than 1 MiB: name whole families or types in place of single protocols", name)
	}
	spec, err := engine.ParseSpec(name, text)
	if err != nil {
		return engine.Spec{}, fmt.Errorf("policy %w", err)
	}
	return spec, nil
}

// policyError adds what to do about a file that cannot be read.
func policyError(name string, err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	hint := ""
	switch {
	case errors.Is(err, unix.EISDIR):
		hint = ": give a file in it"
	case errors.Is(err, fs.ErrNotExist):
		hint = ": see sockade run --help for an example"
	case errors.Is(err, fs.ErrPermission):
		hint = ": make it readable for this user, or pass it as --policy - <FILE"
	}
	return fmt.Errorf("policy %s: %w%s", name, err, hint)
}
