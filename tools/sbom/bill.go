package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
)

// bill is a document of CycloneDX 1.6, as far as we have something to say.
type bill struct {
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"` // of the document
	Metadata    metadata    `json:"metadata"`
	Components  []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"` // application or library
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PackageURL string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// list returns the bill of the program in file.
func list(name, version, file, sqliteHeader string) (bill, error) {
	program, err := os.ReadFile(file)
	if err != nil {
		return bill{}, err
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return bill{}, fmt.Errorf("read what %s was built from: %w", file, err)
	}
	sqlite, err := sqliteVersion(sqliteHeader)
	if err != nil {
		return bill{}, err
	}

	sum := sha256.Sum256(program)
	b := bill{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{component{
		Type: "application", Ref: name, Name: name, Version: version,
		Hashes: []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
	}}}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		b.Components = append(b.Components, library(*module))
	}
	b.Components = append(b.Components,
		library(debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}),
		component{Type: "library", Ref: "sqlite", Name: "SQLite", Version: sqlite, PackageURL: "pkg:generic/sqlite@" + sqlite},
	)
	return b, nil
}

// library is a module of Go. Its sum is that of go.sum, over the names and sums of its files.
func library(module debug.Module) component {
	address := "pkg:golang/" + module.Path + "@" + strings.ReplaceAll(module.Version, "+", "%2B")
	c := component{Type: "library", Ref: address, Name: module.Path, Version: module.Version, PackageURL: address}
	if module.Sum != "" {
		c.Properties = []property{{"go:sum", module.Sum}}
	}
	return c
}

var sqliteDefine = regexp.MustCompile(`(?m)^#define SQLITE_VERSION +"([0-9.]+)"`)

// sqliteVersion reads SQLite's own header.
func sqliteVersion(header string) (string, error) {
	text, err := os.ReadFile(header)
	if err != nil {
		return "", err
	}
	found := sqliteDefine.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%s does not define SQLITE_VERSION", header)
	}
	return string(found[1]), nil
}
