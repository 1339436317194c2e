// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Exit statuses. Those of run are the ones of env(1) and timeout(1).
const (
	statusNegative      = 1   // plan: refused; check: something is denied; verify: a divergence
	statusFailed        = 125 // sockade failed, and nothing was run
	statusNotExecutable = 126
	statusNotFound      = 127
)

// statusError is an error with an exit status of its own. With no error in it
// there is nothing left to print.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// report prints an error on one line and returns the exit status.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	status := &statusError{status: statusFailed, err: err}
	errors.As(err, &status)
	if status.err != nil {
		say(stderr, err.Error())
	}
	return status.status
}

// say prints one line. What a user typed may be in it, so nothing that could
// break the line or steer a terminal gets through.
func say(stderr io.Writer, text string) {
	fmt.Fprintf(stderr, "sockade: %s\n", oneLine(text))
}

// oneLine escapes what is not printable.
func oneLine(text string) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[n:]
	}
	return b.String()
}

// longest is how much of what a user typed an error shows.
const longest = 100

// quote returns a word for an error, cut where it is too long.
func quote(word string) string {
	if len(word) > longest {
		return strconv.Quote(word[:longest]) + "..."
	}
	return strconv.Quote(word)
}
