// SPDX-License-Identifier: Apache-2.0

package sys

import "testing"

// TestFirst: a likely value that is wrong costs calls and not the answer.
func TestFirst(t *testing.T) {
	const n = 256
	for from := range n + 1 {
		for _, likely := range []int{1, 45, 46, n - 1} {
			calls := 0
			got := first(n, likely, func(i int) bool { calls++; return i >= from })
			if got != from {
				t.Errorf("from %d, likely %d: found %d", from, likely, got)
			}
			if from == likely && calls > 2 {
				t.Errorf("%d calls to find the likely value", calls)
			}
		}
	}
}

func TestSocketLimits(t *testing.T) {
	afMax, sockMax, exact := SocketLimits(46, 11)
	for _, likely := range []int32{1, 10, 14} {
		if a, s, e := SocketLimits(45+likely, likely); a != afMax || s != sockMax || e != exact {
			t.Errorf("it depends on what is likely: %d, %d, %v and %d, %d, %v", afMax, sockMax, exact, a, s, e)
		}
	}
}
