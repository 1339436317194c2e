// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
)

// The words of each setting, by value.
var (
	denyErrnoWords = []string{DenyEACCES: "eacces", DenyUnsupported: "unsupported"}
	inheritWords   = []string{InheritCheck: "check", InheritClose: "close", InheritKeep: "keep"}
	receiveWords   = []string{ReceiveAny: "any", ReceivePolicy: "policy"}
)

// String returns the word that ParseDenyErrno takes.
func (d DenyErrno) String() string { return settingWord("DenyErrno", denyErrnoWords, int(d)) }

// String returns the word that ParseInherit takes.
func (i Inherit) String() string { return settingWord("Inherit", inheritWords, int(i)) }

// String returns the word that ParseReceive takes.
func (r Receive) String() string { return settingWord("Receive", receiveWords, int(r)) }

// ParseDenyErrno reads "eacces" or "unsupported".
func ParseDenyErrno(word string) (DenyErrno, error) {
	i, err := parseSetting("deny errno", denyErrnoWords, word)
	return DenyErrno(i), err
}

// ParseInherit reads "check", "close" or "keep".
func ParseInherit(word string) (Inherit, error) {
	i, err := parseSetting("inherit", inheritWords, word)
	return Inherit(i), err
}

// ParseReceive reads "any" or "policy".
func ParseReceive(word string) (Receive, error) {
	i, err := parseSetting("receive", receiveWords, word)
	return Receive(i), err
}

func settingWord(what string, words []string, value int) string {
	if value < 0 || value >= len(words) {
		return fmt.Sprintf("%s(%d)", what, value)
	}
	return words[value]
}

func parseSetting(what string, words []string, word string) (int, error) {
	if i := slices.Index(words, lower(word)); i >= 0 {
		return i, nil
	}
	return 0, fmt.Errorf("unknown %s %s; write %s", what, quote(word), strings.Join(words, " or "))
}

// validSetting reports a value that no constant has.
func validSetting(what string, words []string, value int) error {
	if value < 0 || value >= len(words) {
		return fmt.Errorf("%s: no such value; use one of the constants", settingWord(what, words, value))
	}
	return nil
}
