// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"io"
)

// option is a flag under its long name and, if it has one, its letter.
type option struct {
	long, letter, usage string
	define              func(set *flag.FlagSet, name, usage string)
	// complete completes the value; nil for a flag without one.
	complete completer
}

// flags returns the options as a set that is ready to parse and prints nothing.
func (c *command) flags() *flag.FlagSet {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, o := range c.options {
		o.define(set, o.long, o.usage)
		if o.letter != "" {
			o.define(set, o.letter, o.usage)
		}
	}
	return set
}

func (c *command) add(o option) {
	if c.options == nil {
		c.options = make([]option, 0, 10) // at once: this is part of every start
	}
	c.options = append(c.options, o)
}

// text adds an option with a value. An empty one, such as of a shell variable that
// is not set, and a second one are errors: either could widen a policy unseen.
func (c *command) text(value *string, long, letter, usage string, complete completer) {
	c.add(option{long, letter, usage, func(set *flag.FlagSet, name, usage string) {
		set.Func(name, usage, func(text string) error {
			switch {
			case text == "":
				return errors.New("it is empty: give a value, or leave out the flag")
			case *value != "":
				return errors.New("it is given twice: give it once")
			}
			*value = text
			return nil
		})
	}, complete})
}

// list adds an option that may be repeated.
func (c *command) list(values *[]string, long, letter, usage string, complete completer) {
	c.add(option{long, letter, usage, func(set *flag.FlagSet, name, usage string) {
		set.Func(name, usage, func(value string) error {
			*values = append(*values, value)
			return nil
		})
	}, complete})
}

// toggle adds an option that is on or off.
func (c *command) toggle(value *bool, long, usage string) {
	c.add(option{long: long, usage: usage, define: func(set *flag.FlagSet, name, usage string) {
		set.BoolVar(value, name, false, usage)
	}})
}
