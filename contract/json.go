package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// privateKeys begin the members of a document's root that are for its YAML alone: what
// anchors are taken from.
const privateKeys = "x-shared"

// JSON writes a document that was written in YAML as JSON, its members in the order of
// the YAML, aliases and merged keys written out.
func JSON(text []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return nil, errors.New("not one YAML document")
	}
	var out bytes.Buffer
	if err := write(&out, root.Content[0], true); err != nil {
		return nil, err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, out.Bytes(), "", " "); err != nil {
		return nil, err
	}
	pretty.WriteByte('\n')
	return pretty.Bytes(), nil
}

func write(out *bytes.Buffer, n *yaml.Node, root bool) error {
	switch n.Kind {
	case yaml.AliasNode:
		return write(out, n.Alias, false)
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := write(out, item, false); err != nil {
				return err
			}
		}
		out.WriteByte(']')
		return nil
	case yaml.MappingNode:
		return writeObject(out, n, root)
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return err
	}
	data, err := json.Marshal(value)
	out.Write(data)
	return err
}

func writeObject(out *bytes.Buffer, n *yaml.Node, root bool) error {
	list, err := members(n)
	if err != nil {
		return err
	}
	if root {
		list = slices.DeleteFunc(list, func(m member) bool { return strings.HasPrefix(m.name, privateKeys) })
	}
	out.WriteByte('{')
	for i, m := range list {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(m.name)
		if err != nil {
			return err
		}
		out.Write(append(name, ':'))
		if err := write(out, m.value, false); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

// member is one of a mapping.
type member struct {
	name  string
	value *yaml.Node
}

// members lists those of a mapping, the merged ones (<<) in their place and only where
// the mapping does not have its own.
func members(n *yaml.Node) ([]member, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: only a mapping can be merged", n.Line)
	}
	taken := make(map[string]bool)
	for i := 0; i < len(n.Content); i += 2 {
		if name := n.Content[i].Value; name != "<<" && taken[name] {
			return nil, fmt.Errorf("line %d: %s is there twice", n.Content[i].Line, name)
		}
		taken[n.Content[i].Value] = true
	}
	var list []member
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value != "<<" {
			list = append(list, member{n.Content[i].Value, n.Content[i+1]})
			continue
		}
		sources := []*yaml.Node{n.Content[i+1]}
		if sources[0].Kind == yaml.SequenceNode {
			sources = sources[0].Content
		}
		for _, s := range sources {
			merged, err := members(s)
			if err != nil {
				return nil, err
			}
			for _, m := range merged {
				if !taken[m.name] {
					taken[m.name] = true
					list = append(list, m)
				}
			}
		}
	}
	return list, nil
}
