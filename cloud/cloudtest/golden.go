// Package cloudtest is what the tests of the cloud's packages share: golden files, the
// examples of a public API's page, a Mac that does what the test says.
//
// It refuses to be part of the product: only tests import it. Its values belong to the
// test that they were made with.
package cloudtest

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// update is a flag of every test binary that has golden files.
var update = flag.Bool("update", false, "write the golden files anew")

// Change is what differs from run to run, in its exact form, and what stands for it:
// another form stays, and the golden file tells.
type Change struct {
	Form *regexp.Regexp
	As   string
}

// Changing are the changes of one API.
type Changing []Change

// Settle writes what stands for whatever differs from run to run.
func (c Changing) Settle(text string) string {
	for _, one := range c {
		text = one.Form.ReplaceAllString(text, one.As)
	}
	return text
}

// Golden fails unless a text is that of the file of testdata, byte for byte, but for what
// changes. With -update it writes the file.
func (c Changing) Golden(t testing.TB, file, text string) {
	t.Helper()
	got := c.Settle(text)
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\ngot  %s\nwant %s", file, got, want)
	}
}
