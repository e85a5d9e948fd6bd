package console

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// API is a public API that the page /docs shows.
type API struct {
	Name     string // as people call it
	URL      string // of its document
	Document []byte // OpenAPI 3.0, as JSON
}

// ordered is a JSON object whose members keep their order.
type ordered[T any] struct {
	names  []string
	values map[string]T
}

func (o *ordered[T]) UnmarshalJSON(data []byte) error {
	if err := json.Unmarshal(data, &o.values); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		o.names = append(o.names, fmt.Sprint(name))
		var skipped json.RawMessage
		if err := d.Decode(&skipped); err != nil {
			return err
		}
	}
	return nil
}

// The parts of an OpenAPI document that the page shows.
type (
	document struct {
		Info       struct{ Description string }
		Tags       []struct{ Name, Description string }
		Paths      ordered[path]
		Components struct {
			Schemas    ordered[schema]
			Responses  map[string]response
			Parameters map[string]parameter
		}
	}
	path struct {
		Parameters                    []parameter
		Get, Post, Put, Patch, Delete *spec
	}
	spec struct {
		OperationID          string
		Tags                 []string
		Summary, Description string
		Permission           string `json:"x-permission"`
		Extension            bool   `json:"x-extension"`
		Security             *[]any
		Parameters           []parameter
		RequestBody          *struct{ Content content }
		Responses            map[string]response
	}
	parameter struct {
		Ref                   string `json:"$ref"`
		Name, In, Description string
		Required              bool
		Schema                schema
		Example               any
		Extension             bool `json:"x-extension"`
	}
	response struct {
		Ref         string `json:"$ref"`
		Description string
		Content     content
	}
	content map[string]struct {
		Schema  schema
		Example json.RawMessage
	}
	schema struct {
		Ref               string `json:"$ref"`
		Type, Description string
		Format            string
		Enum              []any
		Nullable          bool
		Required          []string
		Properties        ordered[schema]
		Items             *schema
		AnyOf, OneOf      []schema
		Default           any
		Minimum, Maximum  *float64
		MaxLength         *int
		MaxItems          *int
		Example           json.RawMessage
		Extension         bool `json:"x-extension"`
	}
)
