// SPDX-License-Identifier: Apache-2.0

// Package faults tests sockade where something that it needs is missing or denied:
// by an outer sandbox, by limits, by what is not mounted, by the machine's settings.
// Either a command runs with its whole policy, or one line says why it does not
// run. What would change the whole machine is done in guests only.
package faults
