// SPDX-License-Identifier: Apache-2.0

package bench

import "slices"

// Extra is something to measure that is no loop of system calls.
type Extra struct{ Name, What string }

// Names of extras.
const (
	extraStart = "start"
	extraHTTP  = "http"
	extraRedis = "redis"
)

// Extras are measured with the scenarios, but for in guests that count instructions.
func Extras() []Extra {
	return []Extra{
		{extraStart, "how long a sandboxed true takes, next to other launchers that are installed"},
		{extraHTTP, "a server in Go that answers on loopback: requests per second, and what 99 of 100 take at most"},
		{extraRedis, "redis-server with redis-benchmark, where they are installed"},
	}
}

// wants tells whether an extra is measured.
func (o Options) wants(name string) bool {
	return o.Size != Guest && (len(o.Scenarios) == 0 || slices.Contains(o.Scenarios, name))
}
