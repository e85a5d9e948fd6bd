package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bluerelay/relay"
)

// The person is asked until the answer is one; nothing typed means what is suggested.
func TestAskScope(t *testing.T) {
	for typed, want := range map[string]string{
		"\n": "all", "1\n": "all", "ALL\n": "all", "2\n": "started", " started \n": "started", "3\n/tmp/list\n": "allow:/tmp/list", "allow\nlist": "allow:list",
		"everything\n7\n2\n": "started", "": "all", "x": "all",
	} {
		var out strings.Builder
		got, err := askScope(t.Context(), strings.NewReader(typed), &out)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
		if strings.Count(out.String(), "What may leave this Mac") != 1 {
			t.Errorf("%q was asked:\n%s", typed, out.String())
		}
	}
}

// Ctrl-C at the question pairs nothing.
func TestAskScopeIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	silent, typing := io.Pipe()
	defer typing.Close()
	if got, err := askScope(ctx, silent, io.Discard); err == nil || got != "" || !strings.Contains(err.Error(), "the setup URL was not used") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadScope(t *testing.T) {
	list := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(list, []byte("# friends\n+14155550001\n\n Bob@Example.com \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	scope, allow, err := readScope("allow:" + list)
	if err != nil || scope != relay.ScopeAllow || strings.Join(allow, " ") != "+14155550001 bob@example.com" {
		t.Errorf("%s %q %v", scope, allow, err)
	}
	for _, s := range []string{"", "none", "allow", "allow:", "allow:/no/such/file"} {
		if scope, _, err := readScope(s); err == nil {
			t.Errorf("%q is %s", s, scope)
		}
	}
}
