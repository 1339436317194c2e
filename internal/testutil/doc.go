// SPDX-License-Identifier: Apache-2.0

// Package testutil has what the tests of all packages share: [Need], the only
// way to skip a test; [InChild], which runs sandboxed code in a child process
// that has to report its verdict; and [Rand], which prints its seed.
//
// A package that uses InChild names its children in TestMain:
//
//	func TestMain(m *testing.M) {
//		testutil.Main(m, testutil.Children{"locked": locked})
//	}
//
//	func locked(arg []byte) (any, error) { … return verdict, nil }
//
//	func TestLocked(t *testing.T) {
//		var verdict string
//		testutil.InChild(t, testutil.Child{Name: "locked"}, &verdict)
//	}
//
// Environment: SOCKADE_REQUIRE lists capabilities that must be there,
// SOCKADE_SKIPS names a file that collects one line per skip, SOCKADE_SEED
// repeats a random run, SOCKADE_PROGRAMS has programs built before, SOCKADE_GUEST
// says that the machine is there for the tests only.
package testutil
