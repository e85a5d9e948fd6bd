package e2e_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// house is which package may import which of ours: the floors of the house. An
// arrow that is not here is a mistake, or a change of the architecture that has to
// be made here and in docs/architecture.md first.
var house = map[string][]string{
	"wire":                  {},
	"chatdb":                {},
	"fault":                 {},
	"applescript":           {"fault"},
	"mac":                   {},
	"launchd":               {"mac"},
	"launchd/launchdtest":   {"mac"},
	"simulator":             {},
	"update":                {},
	"update/sign":           {"update"},
	"cli":                   {},
	"relay":                 {"wire", "chatdb", "applescript", "mac", "fault"},
	"cloud/store":           {"wire"},
	"cloud/cloudtest":       {}, // for tests only
	"cloud/store/storetest": {},
	"cloud":                 {"cloud/store", "wire", "fault"},
	"cloud/textingblue":     {"cloud", "cloud/store", "wire"},
	"cloud/sendblue":        {"cloud", "cloud/store", "wire"},
	"cloud/console":         {"cloud", "cloud/store"},
	"cmd/bluerelay":         {"cli", "fault", "relay", "chatdb", "applescript", "launchd", "mac", "update", "wire"},
	"cmd/bluecloud":         {"cli", "fault", "cloud", "cloud/store", "cloud/textingblue", "cloud/sendblue", "cloud/console", "relay", "applescript", "simulator", "wire"},
	"contract":              {}, // for tests only
	"torture":               {"cli", "simulator", "torture/loopback"},
	"torture/loopback":      {}, // for tests and the harness only
	"e2e":                   {},
}

// apart are folders that are modules or programs of their own.
var apart = []string{"tools", "bench", "model", "torture/power", ".git"}

func TestHouse(t *testing.T) {
	found := make(map[string]bool)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains(apart, rel) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		pkg := filepath.ToSlash(filepath.Dir(rel))
		found[pkg] = true
		allowed, known := house[pkg]
		if !known {
			t.Errorf("%s is not a room of the house", pkg)
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(imported, "bluerelay/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", rel, ours)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range house {
		if !found[pkg] {
			t.Errorf("the house has no room %s any more", pkg)
		}
	}
}
