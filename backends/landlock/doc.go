// SPDX-License-Identifier: Apache-2.0

// Package landlock will enforce a policy with native Landlock socket rules. It is in the
// table of backends so that plans name it, and it is never available yet.
package landlock
