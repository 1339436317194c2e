// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"fmt"
	"reflect"
)

// Validate reports what is wrong with a policy that was built by hand; one
// that was parsed is valid.
func (p Policy) Validate() error {
	if err := countRules("the policy", len(p.Rules)); err != nil {
		return err
	}
	for _, rule := range p.Rules {
		if err := rule.validate(); err != nil {
			return fmt.Errorf("rule %s: %w", rule, err)
		}
	}
	return cmp.Or(
		p.Ports.validate(),
		validSetting("DenyErrno", denyErrnoWords, int(p.DenyErrno)),
		validSetting("Inherit", inheritWords, int(p.FDs.Inherit)),
		validSetting("Receive", receiveWords, int(p.FDs.Receive)),
	)
}

// Equal reports whether two policies are written the same, whatever the order
// of their rules and ports. Two spellings of one socket are not equal.
func (p Policy) Equal(q Policy) bool { return reflect.DeepEqual(p.normal(), q.normal()) }

// normal returns the policy in the form that parsing gives.
func (p Policy) normal() Policy {
	if p.All {
		p.Rules = nil
	}
	p.Rules = sortRules(append([]Rule(nil), p.Rules...))
	p.Ports = p.Ports.normal()
	return p
}
