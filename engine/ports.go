// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// String returns the ports for people: "any", "none" or "443,8000-8100".
func (s PortSet) String() string {
	switch {
	case s == nil:
		return "any"
	case len(s) == 0:
		return "none"
	}
	words := make([]string, len(s))
	for i, r := range s {
		words[i] = r.String()
	}
	return strings.Join(words, ",")
}

// String returns "443" for a single port, else "8000-8100".
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}

// Contains reports whether the set lets the port through.
func (s PortSet) Contains(port uint16) bool {
	return s == nil || slices.ContainsFunc(s, func(r PortRange) bool { return r.First <= port && port <= r.Last })
}

// All reports whether the set lets every port through.
func (s PortSet) All() bool {
	return s == nil || slices.Equal(s.Ranges(), []PortRange{{0, math.MaxUint16}})
}

// Ranges returns the set in ascending order, with what overlaps or touches merged.
func (s PortSet) Ranges() []PortRange { return s.normal() }

// normal returns the set in ascending order, with what overlaps or touches
// merged; nil stays nil.
func (s PortSet) normal() PortSet {
	if s == nil {
		return nil
	}
	sorted := slices.Clone(s)
	slices.SortFunc(sorted, func(a, b PortRange) int { return cmp.Compare(a.First, b.First) })
	out := PortSet{}
	for _, r := range sorted {
		if n := len(out); n > 0 && int(r.First) <= int(out[n-1].Last)+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// intersect returns the ports that both sets let through.
func (s PortSet) intersect(t PortSet) PortSet {
	if s == nil {
		return t.normal()
	}
	if t == nil {
		return s.normal()
	}
	out := PortSet{}
	for _, a := range s {
		for _, b := range t {
			if r := (PortRange{max(a.First, b.First), min(a.Last, b.Last)}); r.First <= r.Last {
				out = append(out, r)
			}
		}
	}
	return out.normal()
}

func (p Ports) normal() Ports {
	return Ports{p.ConnectTCP.normal(), p.BindTCP.normal(), p.ConnectUDP.normal(), p.BindUDP.normal()}
}

// validate reports a range that is upside down.
func (p Ports) validate() error {
	for _, set := range []PortSet{p.ConnectTCP, p.BindTCP, p.ConnectUDP, p.BindUDP} {
		for _, r := range set {
			if r.First > r.Last {
				return fmt.Errorf("ports %d-%d: the first is above the last; swap them", r.First, r.Last)
			}
		}
	}
	return nil
}

// parsePort reads one port.
func parsePort(word string) (uint16, error) {
	number, ok := parseNumber(word)
	if !ok {
		return 0, fmt.Errorf("port %s is no number; write 0 to 65535", quote(word))
	}
	if number < 0 || number > math.MaxUint16 {
		return 0, fmt.Errorf("port %s is out of range; write 0 to 65535", cut(word))
	}
	return uint16(number), nil
}

// parsePortRange reads "A-B".
func parsePortRange(text string) (PortRange, error) {
	first, last, ok := strings.Cut(text, "-")
	if !ok {
		return PortRange{}, fmt.Errorf("%s is no port range; write \"FIRST-LAST\", or a single port as a number", quote(text))
	}
	var r PortRange
	var err error
	if r.First, err = parsePort(first); err != nil {
		return PortRange{}, err
	}
	if r.Last, err = parsePort(last); err != nil {
		return PortRange{}, err
	}
	return r, Ports{ConnectTCP: PortSet{r}}.validate()
}
