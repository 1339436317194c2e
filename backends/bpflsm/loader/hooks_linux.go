// SPDX-License-Identifier: Apache-2.0

package loader

import "slices"

// Hooks returns the LSM hooks that the programs are on, as [ebpf.ProgramSpec.AttachTo]
// has them: for a comparison with programs that do nothing there.
func Hooks() ([]string, error) {
	spec, err := loadSockade()
	if err != nil {
		return nil, err
	}
	var hooks []string
	for _, p := range spec.Programs {
		if p.AttachTo != "" && !slices.Contains(hooks, p.AttachTo) {
			hooks = append(hooks, p.AttachTo)
		}
	}
	slices.Sort(hooks)
	return hooks, nil
}
