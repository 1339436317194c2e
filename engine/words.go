// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestQuote is how much of a word an error shows.
const longestQuote = 64

// quote returns a word for an error: quoted, on one line, not too long.
func quote(word string) string { return strconv.Quote(cut(word)) }

// cut shortens a word to what an error shows of it, at a rune's boundary.
func cut(word string) string {
	if len(word) <= longestQuote {
		return word
	}
	end := longestQuote
	for end > 0 && !utf8.RuneStart(word[end]) {
		end--
	}
	return word[:end] + "..."
}

// lower is for ASCII only: names are ASCII, and Unicode folds such as the
// Kelvin sign to k must not spell one.
func lower(word string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, word)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// oneLine escapes what could break a line or a terminal.
func oneLine(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		escaped := strconv.QuoteRune(r)
		b.WriteString(escaped[1 : len(escaped)-1])
	}
	return b.String()
}

// nearest returns the name that the word was probably meant to be.
func nearest(word string, table []named) (string, bool) {
	limit := 1
	if len(word) > 4 {
		limit = 2
	}
	best, name := limit+1, ""
	for _, n := range table {
		// Two names that have no letter in common are never near.
		if d := distance(word, n.name, limit); d < best && d < len(n.name) && d < len(word) {
			best, name = d, n.name
		}
	}
	return name, name != ""
}

// distance is the edit distance in bytes; a swap of neighbours counts one. It
// is only exact up to the limit, so that a very long word costs nothing.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
