// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockade/sockade/internal/sys"
)

// Environment is what figures depend on.
type Environment struct {
	Kernel         string   `json:"kernel"`
	Machine        string   `json:"machine"`
	CPU            string   `json:"cpu"`
	CPUs           int      `json:"cpus"`
	Governor       string   `json:"governor"`
	Virtualisation string   `json:"virtualisation"`
	LSM            string   `json:"lsm"`
	BPFJIT         string   `json:"bpf_jit"`
	Go             string   `json:"go"`
	User           string   `json:"user"`
	Mitigations    []string `json:"mitigations"`
	// Notes are what would have a figure mean something else.
	Notes []string `json:"notes"`
}

func environment(cpu int) Environment {
	var u unix.Utsname
	_ = unix.Uname(&u)
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(text))
	}
	e := Environment{
		Kernel: unix.ByteSliceToString(u.Release[:]), Machine: runtime.GOARCH, Go: runtime.Version(), CPUs: runtime.NumCPU(),
		Governor: read(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", cpu)),
		LSM:      read("/sys/kernel/security/lsm"), BPFJIT: read("/proc/sys/net/core/bpf_jit_enable"),
		User: "not root", Notes: []string{},
	}
	if unix.Getuid() == 0 {
		e.User = "root"
	}
	e.CPU, e.Virtualisation = cpuInfo()
	if name := read("/sys/class/dmi/id/sys_vendor"); e.Virtualisation != "" && name != "unknown" {
		e.Virtualisation += " (" + name + ")"
	}
	if e.Virtualisation == "" {
		e.Virtualisation = "none seen"
	}
	files, _ := filepath.Glob("/sys/devices/system/cpu/vulnerabilities/*")
	slices.Sort(files)
	for _, f := range files {
		if text := read(f); text != "Not affected" {
			e.Mitigations = append(e.Mitigations, filepath.Base(f)+": "+text)
		}
	}
	if !mayGoBeforeOthers() {
		e.Notes = append(e.Notes, "the programs that are measured are interrupted by others: real-time priority takes root")
	}
	if alreadyLoaded() {
		e.Notes = append(e.Notes, "the BPF programs of Sockade were loaded before: no sandbox means with them")
	}
	if load := read("/proc/loadavg"); load != "unknown" {
		e.Notes = append(e.Notes, "load average at the start: "+strings.Join(strings.Fields(load)[:3], " "))
	}
	return e
}

// cpuInfo returns the name of the CPU, and that it is one of a virtual machine.
func cpuInfo() (name, virtual string) {
	name = "unknown"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name":
			name = value
		case "flags":
			if slices.Contains(strings.Fields(value), "hypervisor") {
				virtual = "a virtual machine"
			}
		}
	}
	return name, virtual
}

// mayGoBeforeOthers tries it on a thread that ends.
func mayGoBeforeOthers() (may bool) {
	sys.OnThrowawayThread(func() { may = beforeOthers() == nil })
	return may
}
