// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// MaxPolicyBytes is the size limit of a policy file.
const MaxPolicyBytes = 1 << 20

// ParseSpec reads a policy file without resolving it, so that a command line
// can extend it; allow may be missing. Errors are those of ParsePolicy.
//
// The bytes are checked first, then that they are TOML without duplicate keys,
// then every key and value against the schema, each at its own position.
func ParseSpec(name string, text []byte) (Spec, error) {
	if at, err := checkText(text); err != nil {
		return Spec{}, fileError(name, text, at, err)
	}
	var whole map[string]any
	if err := toml.Unmarshal(text, &whole); err != nil {
		return Spec{}, tomlError(name, err)
	}
	r := reader{}
	if err := r.read(text); err != nil {
		return Spec{}, fileError(name, text, r.at, err)
	}
	if r.spec.Allow != nil {
		if _, err := r.spec.Policy(); err != nil {
			return Spec{}, fileError(name, text, r.allowAt, err)
		}
	}
	return r.spec, nil
}

// checkText refuses what no editor shows and TOML libraries treat differently.
func checkText(text []byte) (at int, err error) {
	if len(text) > MaxPolicyBytes {
		return 0, fmt.Errorf("the policy file has %d bytes, more than the limit of %d (1 MiB)", len(text), MaxPolicyBytes)
	}
	if bytes.HasPrefix(text, []byte("\ufeff")) {
		return 0, errors.New("the policy file begins with a byte order mark; save it as UTF-8 without one")
	}
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at, fmt.Errorf("byte 0x%02x is not UTF-8; save the policy file as UTF-8", text[at])
		case r == '\t' || r == '\n' || r == '\r' && bytes.HasPrefix(text[at:], []byte("\r\n")):
		case isControl(r):
			return at, fmt.Errorf("control character %q; remove it", r)
		}
		at += size
	}
	return 0, nil
}

// tomlError gives what the TOML library says the form of fileError.
func tomlError(name string, err error) error {
	line, column := 1, 1
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		line, column = decode.Position()
	}
	return positionError(name, line, column, strings.TrimPrefix(err.Error(), "toml: "))
}

// fileError returns the error as one line that begins with the position of the
// byte at the offset.
func fileError(name string, text []byte, offset int, err error) error {
	before := text[:offset]
	line := bytes.Count(before, []byte("\n")) + 1
	column := offset - bytes.LastIndexByte(before, '\n')
	return positionError(name, line, column, err.Error())
}

func positionError(name string, line, column int, what string) error {
	return fmt.Errorf("%s:%d:%d: %s", oneLine(name), line, column, oneLine(what))
}
