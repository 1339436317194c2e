// SPDX-License-Identifier: Apache-2.0

package testutil

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// envSeed is the variable that repeats a run of [Rand].
const envSeed = "SOCKADE_SEED"

// Rand returns a random source whose seed is in the test's output, which go
// test shows when the test fails. SOCKADE_SEED=N repeats that run.
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(envSeed); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 0, 64); err != nil {
			t.Fatalf("%s: %v", envSeed, err)
		}
	}
	t.Logf("seed: %s=%d", envSeed, seed)
	return rand.New(rand.NewPCG(seed, 0))
}
