// SPDX-License-Identifier: Apache-2.0

package engine

import "errors"

// Spec is a policy as it was written: lists with bundles in them, not yet
// resolved. A command line extends a file by appending to its lists.
type Spec struct {
	// Allow and Deny hold rules and bundles, one per element. A nil Allow means
	// that nobody said what may be created, which is an error; an empty one
	// denies every socket.
	Allow, Deny []string
	// DenyErrno, Ports and FDs are as in Policy.
	DenyErrno DenyErrno
	Ports     Ports
	FDs       FDs
}

var errAllowMissing = errors.New("allow is missing; write allow = [] to deny every socket")

// Policy resolves the lists and checks the whole.
func (s Spec) Policy() (Policy, error) {
	if s.Allow == nil {
		return Policy{}, errAllowMissing
	}
	policy, err := ParseAllow(s.Allow, s.Deny)
	if err != nil {
		return Policy{}, err
	}
	policy.DenyErrno, policy.Ports, policy.FDs = s.DenyErrno, s.Ports.normal(), s.FDs
	if err := policy.Validate(); err != nil {
		return Policy{}, err
	}
	return policy, nil
}

// ParsePolicy reads a policy file. An error is one line that begins with
// name:line:column; the name is for that only. Columns count bytes from 1.
func ParsePolicy(name string, text []byte) (Policy, error) {
	spec, err := ParseSpec(name, text)
	if err != nil {
		return Policy{}, err
	}
	policy, err := spec.Policy()
	if err != nil { // allow is missing: ParseSpec has reported all else
		return Policy{}, fileError(name, text, 0, err)
	}
	return policy, nil
}
