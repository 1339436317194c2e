// SPDX-License-Identifier: Apache-2.0

package bench

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Budget is what figures may be.
type Budget struct {
	Name      string   `toml:"name"`
	Scenarios []string `toml:"scenarios"`
	State     string   `toml:"state"`
	// Depth is the only one that is meant; 0 is any.
	Depth int `toml:"depth"`
	// To is none, floor, a state, or rules=N: the same state with so many.
	To string `toml:"to"`
	// Ratio and Extra bound it; 0 is no bound.
	Ratio float64 `toml:"ratio"`
	Extra float64 `toml:"extra"`
	// Goal is what it should be, where it is not yet: a figure within the bound and above
	// the goal is named, and is no failure.
	Goal float64 `toml:"goal"`
}

//go:embed budget.toml
var budgets string

// Budgets are those of this version: budget.toml.
func Budgets() ([]Budget, error) { return ParseBudgets(strings.NewReader(budgets)) }

// ParseBudgets reads a file like budget.toml.
func ParseBudgets(r io.Reader) ([]Budget, error) {
	var file struct {
		Budget []Budget `toml:"budget"`
	}
	if err := toml.NewDecoder(r).DisallowUnknownFields().Decode(&file); err != nil {
		return nil, fmt.Errorf("budget: %w", err)
	}
	if len(file.Budget) == 0 {
		return nil, errors.New("budget: no [[budget]] in it")
	}
	for _, b := range file.Budget {
		if err := b.validate(); err != nil {
			return nil, fmt.Errorf("budget %q: %w", b.Name, err)
		}
	}
	return file.Budget, nil
}

func (b Budget) validate() error {
	if b.Ratio <= 0 && b.Extra <= 0 {
		return errors.New("no bound: give ratio or extra")
	}
	if bound := max(b.Ratio, b.Extra); b.Goal > bound {
		return fmt.Errorf("goal %g is above the bound %g", b.Goal, bound)
	}
	if len(b.Scenarios) == 0 {
		return errors.New("no scenarios")
	}
	for _, name := range b.Scenarios {
		if _, ok := find(name); !ok {
			return fmt.Errorf("no scenario %q", name)
		}
	}
	if _, ok := stateOf(b.State); !ok {
		return fmt.Errorf("no state %q", b.State)
	}
	if _, ok := stateOf(b.To); !ok && b.To != "floor" && b.rulesTo() == 0 {
		return fmt.Errorf(`to = %q: give none, floor, a state, or rules=N`, b.To)
	}
	return nil
}

func (b Budget) rulesTo() int {
	text, ok := strings.CutPrefix(b.To, "rules=")
	n, err := strconv.Atoi(text)
	if !ok || err != nil {
		return 0
	}
	return n
}

// Spent is one figure and the budget that it is held to. It is over where all of its
// interval is.
type Spent struct {
	Budget string
	Figure string
	To     string
	Value  string
	Limit  string
	Over   bool
	// Goal is set for a figure that is within its bound and misses the goal.
	Goal string
}

// Check holds a report to budgets. What a report does not have is an error, unless
// the state is not available there: absent then says why.
func Check(r *Report, budgets []Budget) (spent []Spent, absent []Missing, err error) {
	for _, b := range budgets {
		if m := r.unavailable(b.State, b.To); m != nil {
			if !slices.Contains(absent, *m) {
				absent = append(absent, *m)
			}
			continue
		}
		for _, scenario := range b.Scenarios {
			found := false
			for i := range r.Figures {
				f := &r.Figures[i]
				if f.Scenario != scenario || f.State != b.State || b.Depth > 0 && f.Depth != b.Depth {
					continue
				}
				s, err := b.spend(r, f)
				if err != nil {
					return nil, nil, err
				}
				found = true
				if s != nil {
					spent = append(spent, *s)
				}
			}
			if !found {
				return nil, nil, fmt.Errorf("budget %q: no figure of %s in the state %s", b.Name, scenario, b.State)
			}
		}
	}
	return spent, absent, nil
}

func (r *Report) unavailable(states ...string) *Missing {
	i := slices.IndexFunc(r.Unavailable, func(m Missing) bool { return m.Scenario == "" && slices.Contains(states, m.State) })
	if i < 0 {
		return nil
	}
	return &r.Unavailable[i]
}

// spend compares one figure; nil for one that would be compared with itself.
func (b Budget) spend(r *Report, f *Figure) (*Spent, error) {
	to := Variant{State: b.To}
	if state, _ := stateOf(b.To); state.restricts() {
		to = f.Variant
		to.State = b.To
	}
	switch n := b.rulesTo(); {
	case b.To == "floor":
		s, _ := find(f.Scenario)
		to, _ = f.floorOf(s)
	case n > 0:
		to = f.Variant
		to.Rules = n
	}
	other := r.Find(f.Scenario, to)
	if other == nil {
		return nil, fmt.Errorf("budget %q: no figure of %s in %v to compare %v with", b.Name, f.Scenario, to, f.Variant)
	}
	if other == f {
		return nil, nil
	}
	c := compare(to, f.Samples, other.Samples)
	value, bound, format := c.Ratio, b.Ratio, "%.3f"
	if b.Extra > 0 {
		value, bound, format = c.Extra, b.Extra, "%+.0f"
	}
	s := &Spent{
		Budget: b.Name, Figure: f.Scenario + " " + f.String(), To: to.String(),
		Value: fmt.Sprintf(format, value.Median), Limit: fmt.Sprintf(format, bound), Over: value.Low > bound,
	}
	if b.Goal > 0 && value.Low > b.Goal && !s.Over {
		s.Goal = fmt.Sprintf(format, b.Goal)
	}
	return s, nil
}
