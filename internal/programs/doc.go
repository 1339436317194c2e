// SPDX-License-Identifier: Apache-2.0

// Package programs has only tests: real programs under "sockade run", which
// must behave as without a sandbox where the policy allows what they do, and
// fail with a message of their own where it does not.
package programs
