package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestList asks for the bill of this very test program.
func TestList(t *testing.T) {
	header := filepath.Join(t.TempDir(), "sqlite3-binding.h")
	if err := os.WriteFile(header, []byte("/* x */\n#define SQLITE_VERSION        \"3.50.4\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := list("bluerelay", "1.2.3", os.Args[0], header)
	if err != nil {
		t.Fatal(err)
	}
	if app := got.Metadata.Component; app.Name != "bluerelay" || app.Version != "1.2.3" || len(app.Hashes[0].Content) != 64 {
		t.Errorf("the program is %+v", app)
	}
	want := map[string]string{
		"pkg:golang/std@" + strings.TrimPrefix(runtime.Version(), "go"): "std",
		"pkg:generic/sqlite@3.50.4":                                     "SQLite",
	}
	refs := map[string]bool{}
	for _, c := range got.Components {
		if refs[c.Ref] {
			t.Errorf("%s is there twice", c.Ref)
		}
		refs[c.Ref] = true
		if want[c.PackageURL] == c.Name {
			delete(want, c.PackageURL)
		}
	}
	if len(want) > 0 {
		t.Errorf("missing %v in %+v", want, got.Components)
	}

	if _, err := list("bluerelay", "1.2.3", header, header); err == nil {
		t.Error("a text file has a bill")
	}
	if _, err := list("bluerelay", "1.2.3", os.Args[0], "main.go"); err == nil {
		t.Error("a Go file is read as SQLite's header")
	}
}

func TestLibrary(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3":              "pkg:golang/example.com/a@v1.2.3",
		"v2.0.0+incompatible": "pkg:golang/example.com/a@v2.0.0%2Bincompatible",
	} {
		got := library(debug.Module{Path: "example.com/a", Version: version, Sum: "h1:abc="})
		if got.PackageURL != want || got.Properties[0].Value != "h1:abc=" {
			t.Errorf("got %+v, want %s", got, want)
		}
	}
}
