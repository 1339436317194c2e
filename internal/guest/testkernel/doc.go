// SPDX-License-Identifier: Apache-2.0

// Package testkernel builds kernels that have Landlock's socket rules, which no
// release has: Debian's linux-source-6.12 with the project's own patch, once for each
// dialect of the interface.
//
//	images, err := testkernel.Build(ctx, cache) // images["rfc4"], images["tail"]
//
// The way of a build: [Build] fetches the source → [guest.Fetch] gives its version
// a name → nothing more to do if there are images of that version and these files →
// else the script build unpacks, patches, configures and makes, in a directory of the
// cache that is gone afterwards. README.md says what the patch is.
package testkernel
