package main

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// Every broken rule fits the source as it is now, and leaves Go behind it.
func TestRulesFit(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range rules() {
		if seen[r.name] || r.breaks == "" || len(r.changes) == 0 || len(r.shows) == 0 {
			t.Errorf("rule %q is not whole, or there are two", r.name)
		}
		seen[r.name] = true
		files, err := r.apply("..")
		if err != nil {
			t.Error(err)
			continue
		}
		for name, text := range files {
			if _, err := parser.ParseFile(token.NewFileSet(), name, text, 0); err != nil {
				t.Errorf("%s: %v", r.name, err)
			}
		}
	}
	if len(seen) < 10 {
		t.Errorf("there are %d rules to break", len(seen))
	}
}

// A rule that no longer fits is told apart from one that is noticed.
func TestRuleThatHasMoved(t *testing.T) {
	r := rule{name: "moved", changes: []edit{{"Makefile", "no such text", ""}}}
	if _, err := r.apply(".."); err == nil || !strings.Contains(err.Error(), "Makefile") {
		t.Errorf("the error is %v", err)
	}
}
