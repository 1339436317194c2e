// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// reader walks the syntax tree of a policy file that is known to be valid TOML
// and fills a Spec. Of the library's interfaces only the syntax tree knows
// where an element of an array is.
type reader struct {
	spec Spec
	// at is the offset of what is being looked at, for an error.
	at int
	// allowAt is where allow stands.
	allowAt int
}

// tableNames are the keys that hold a table.
var tableNames = []named{{name: "ports"}, {name: "fds"}}

func (r *reader) read(text []byte) error {
	var parser unstable.Parser
	parser.Reset(text)
	table := ""
	for parser.NextExpression() {
		node := parser.Expression()
		key := r.key("", node)
		switch node.Kind {
		case unstable.Table:
			if _, ok := lookup(tableNames, key); !ok {
				return unknownKey("table", key)
			}
			table = key + "."
		case unstable.ArrayTable:
			return fmt.Errorf("[[%s]] is an array of tables; write [ports] or [fds]", cut(key))
		case unstable.KeyValue:
			if err := r.keyValue(table, node); err != nil {
				return err
			}
		}
	}
	return parser.Error()
}

// key returns the dotted key of a node and looks at where it stands. A part
// that is not bare is quoted, so that "a.b" is not mistaken for a.b.
func (r *reader) key(prefix string, node *unstable.Node) string {
	var parts []string
	for it := node.Key(); it.Next(); {
		part := it.Node()
		if len(parts) == 0 {
			r.at = int(part.Raw.Offset)
		}
		word := string(part.Data)
		if strings.ContainsFunc(word, func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') }) {
			word = quote(word)
		}
		parts = append(parts, word)
	}
	return prefix + strings.Join(parts, ".")
}

// keyValue reads one key of the schema.
func (r *reader) keyValue(prefix string, node *unstable.Node) error {
	key, value := r.key(prefix, node), node.Value()
	switch key {
	case "allow":
		r.allowAt = r.at
		return r.words(key, value, &r.spec.Allow, func(word string) error {
			_, err := parseAllowed(word)
			return err
		})
	case "deny":
		return r.words(key, value, &r.spec.Deny, func(word string) error {
			_, err := parseDenied(word)
			return err
		})
	case "deny_errno":
		return readWord(r, key, value, &r.spec.DenyErrno, ParseDenyErrno)
	case "fds.inherit":
		return readWord(r, key, value, &r.spec.FDs.Inherit, ParseInherit)
	case "fds.receive":
		return readWord(r, key, value, &r.spec.FDs.Receive, ParseReceive)
	}
	for _, port := range portKeys {
		if key == "ports."+port.name {
			return r.ports(key, value, port.set(&r.spec.Ports))
		}
	}
	if _, ok := lookup(tableNames, key); !ok {
		return unknownKey("key", key)
	}
	if value.Kind != unstable.InlineTable {
		return wrongType(key, value, "a table: ["+key+"]")
	}
	for it := value.Children(); it.Next(); {
		if err := r.keyValue(key+".", it.Node()); err != nil {
			return err
		}
	}
	return nil
}

// words reads an array of strings, each of which must pass the check.
func (r *reader) words(key string, value *unstable.Node, into *[]string, check func(string) error) error {
	words := []string{}
	if value.Kind != unstable.Array {
		r.look(value)
		return wrongType(key, value, "an array of strings: "+key+" = [\"inet\"]")
	}
	for it := value.Children(); it.Next(); {
		r.look(it.Node())
		if it.Node().Kind != unstable.String {
			return wrongType("an element of "+key, it.Node(), "a string such as \"inet/stream\"")
		}
		word := string(it.Node().Data)
		if err := check(word); err != nil {
			return err
		}
		words = append(words, word)
	}
	*into = words
	return nil
}

// readWord reads a string with a parser of its own.
func readWord[T any](r *reader, key string, value *unstable.Node, into *T, parse func(string) (T, error)) (err error) {
	r.look(value)
	if value.Kind != unstable.String {
		return wrongType(key, value, "a string")
	}
	*into, err = parse(string(value.Data))
	return err
}

// ports reads an array of ports and port ranges.
func (r *reader) ports(key string, value *unstable.Node, into *PortSet) error {
	const want = "an array of numbers and \"FIRST-LAST\" ranges: [443, \"8000-8100\"]"
	set := PortSet{}
	if value.Kind != unstable.Array {
		r.look(value)
		return wrongType(key, value, want)
	}
	for it := value.Children(); it.Next(); {
		element := it.Node()
		r.look(element)
		switch element.Kind {
		case unstable.Integer:
			port, err := readPort(string(element.Data))
			if err != nil {
				return err
			}
			set = append(set, PortRange{port, port})
		case unstable.String:
			ports, err := parsePortRange(string(element.Data))
			if err != nil {
				return err
			}
			set = append(set, ports)
		default:
			return wrongType("an element of "+key, element, "a number or \"FIRST-LAST\"")
		}
	}
	*into = set.normal()
	return nil
}

// readPort reads a TOML integer: with a sign, underscores or a base.
func readPort(word string) (uint16, error) {
	number, err := strconv.ParseInt(strings.TrimPrefix(word, "+"), 0, 64)
	if err != nil || number < 0 {
		return 0, fmt.Errorf("port %s is out of range; write 0 to 65535", cut(word))
	}
	return parsePort(strconv.FormatInt(number, 10))
}

// look makes a value the position of the next error. Arrays have none, there
// it stays with the key.
func (r *reader) look(value *unstable.Node) {
	if value.Raw.Length > 0 {
		r.at = int(value.Raw.Offset)
	}
}

func wrongType(what string, value *unstable.Node, want string) error {
	kind := map[unstable.Kind]string{
		unstable.Array: "an array", unstable.InlineTable: "a table", unstable.String: "a string",
		unstable.Bool: "a boolean", unstable.Float: "a float", unstable.Integer: "an integer",
	}[value.Kind]
	if kind == "" {
		kind = "a date or time"
	}
	return fmt.Errorf("%s is %s; write %s", what, kind, want)
}

// unknownKey reports a key or table that a policy file does not have.
func unknownKey(what, key string) error {
	known := append([]named{{name: "allow"}, {name: "deny"}, {name: "deny_errno"}, {name: "fds.inherit"}, {name: "fds.receive"}}, tableNames...)
	for _, port := range portKeys {
		known = append(known, named{name: "ports." + port.name})
	}
	if what == "table" {
		known = tableNames
	}
	if near, ok := nearest(key, known); ok {
		return fmt.Errorf("unknown %s %s; did you mean %s?", what, cut(key), near)
	}
	words := make([]string, len(known))
	for i, n := range known {
		words[i] = n.name
	}
	return fmt.Errorf("unknown %s %s; known are %s", what, cut(key), strings.Join(words, ", "))
}
