// SPDX-License-Identifier: Apache-2.0

// Package job is what the host tells a guest and what the guest answers: JSON in
// a file of the initramfs, and one line of JSON on a serial port for each step.
package job

// File is where a guest finds its steps.
const File = "/steps.json"

// Step is one program to run in the guest.
type Step struct {
	Name string   `json:"name"`
	Argv []string `json:"argv"`
	Dir  string   `json:"dir,omitempty"`
	Env  []string `json:"env,omitempty"`
	// UID is the user, and the group, that runs it.
	UID uint32 `json:"uid,omitempty"`
	// Seconds bound it; one that is still running is killed and has failed.
	Seconds int `json:"seconds"`
}

// Result is how a step ended.
type Result struct {
	Step   Step   `json:"step"`
	Stdout []byte `json:"stdout"`
	Stderr []byte `json:"stderr"`
	// Status is the exit status, -1 for one that was killed.
	Status  int     `json:"status"`
	Error   string  `json:"error,omitempty"`
	Seconds float64 `json:"seconds"`
}
