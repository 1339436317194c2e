// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sockade/sockade/engine"
)

// parseRequest reads FAMILY/TYPE[+FLAG…][/PROTOCOL]. Names are those of rules;
// a number may be anything that fits a register's low half, signed or not.
func parseRequest(text string) (engine.Request, error) {
	parts := strings.Split(text, "/")
	switch {
	case len(parts) == 1:
		return engine.Request{}, errors.New("it has no type: a request is FAMILY/TYPE[/PROTOCOL], such as inet/stream")
	case len(parts) > 3:
		return engine.Request{}, fmt.Errorf("it has %d parts: a request is FAMILY/TYPE[/PROTOCOL], such as inet/stream/tcp", len(parts))
	}
	var r engine.Request
	var err error
	if r.Family, err = parseWord(parts[0], "family", func(word string) (int32, error) {
		rule, err := engine.ParseRule(word)
		return rule.Family, err
	}); err != nil {
		return r, err
	}
	if r.Type, err = parseType(parts[1]); err != nil || len(parts) == 2 {
		return r, err
	}
	r.Protocol, err = parseWord(parts[2], "protocol", func(word string) (int32, error) {
		// Protocols are named per family: one that has no name has none either.
		rule, err := engine.ParseRule(engine.FamilyName(r.Family) + "/*/" + word)
		return rule.Protocol, err
	})
	return r, err
}

// parseType reads a type and its flags: stream+cloexec+nonblock, also with the
// vertical bars that a printed request has.
func parseType(text string) (int32, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == '+' || r == '|' })
	if len(words) == 0 {
		return 0, errors.New("its type is empty: write one, such as stream, or a number")
	}
	typ, err := parseWord(words[0], "type", func(word string) (int32, error) {
		rule, err := engine.ParseRule("unspec/" + word)
		return rule.Type, err
	})
	for _, word := range words[1:] {
		if err != nil {
			break
		}
		var flag int32
		flag, err = parseWord(word, "flag", func(word string) (int32, error) {
			switch strings.ToLower(word) {
			case "nonblock":
				return engine.SockNonblock, nil
			case "cloexec":
				return engine.SockCloexec, nil
			}
			return 0, fmt.Errorf("flag %s is unknown: write nonblock, cloexec or a number", quote(word))
		})
		typ |= flag
	}
	return typ, err
}

// parseWord reads a number, or a name by the function.
func parseWord(word, what string, name func(string) (int32, error)) (int32, error) {
	switch word {
	case "":
		return 0, fmt.Errorf("its %s is empty: write a name or a number", what)
	case "*":
		return 0, fmt.Errorf("its %s is any: a request has a single one", what)
	}
	number, err := strconv.ParseInt(word, 0, 64)
	switch {
	case errors.Is(err, strconv.ErrRange), err == nil && (number < math.MinInt32 || number > math.MaxUint32):
		return 0, fmt.Errorf("its %s does not fit 32 bits: the kernel ignores what is above them", what)
	case err == nil:
		return int32(number), nil // 0xffffffff is -1, as the kernel takes it
	}
	return name(word)
}
