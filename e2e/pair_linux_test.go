package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// typing runs a program at a terminal, types, and returns what was on the screen.
func typing(t testing.TB, keys, program string, args ...string) string {
	t.Helper()
	quoted := "'" + strings.Join(append([]string{program}, args...), "' '") + "'"
	cmd := exec.Command("script", "--quiet", "--return", "--command", quoted, "/dev/null")
	cmd.Stdin = strings.NewReader(keys)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", quoted, err, out)
	}
	return string(out)
}

// What is for a person is shown and asked at a terminal, and nowhere else.
func TestPairAtATerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	pair := []string{"line", "pair", line, "--replace", "--database", w.database()}
	const code = "\x1b[38;5;16;48;5;231m"
	if out := typing(t, "", bluecloud, pair...); !strings.Contains(out, code) || !strings.Contains(out, "/setup?token=dev_") {
		t.Errorf("no code at a terminal:\n%s", out)
	}
	if out := run(t, bluecloud, pair...); strings.Contains(out, "\x1b") || strings.Contains(out, "█") || !strings.Contains(out, "/setup?token=dev_") {
		t.Errorf("a code in a pipe:\n%s", out)
	}
	out := typing(t, "", bluecloud, append(pair, "--json")...)
	setup := decode[struct {
		SetupURL string `json:"setup_url"`
	}](t, out).SetupURL

	state := filepath.Join(w.dir, "asked")
	out = typing(t, "what?\n2\n", bluerelay, "pair", setup, "--state", state, "--chat-db", w.mac.ChatDB())
	for _, want := range []string{"What may leave this Mac from now on", "1, 2 or 3 [1]: ", "will see: new messages from and to people that were written to through the API"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not on the screen:\n%s", want, out)
		}
	}
	// Beside it, the secret is exchanged.
	if out := run(t, bluerelay, "pair", "--rotate", "--state", state); !strings.Contains(out, "is exchanged") {
		t.Errorf("%s", out)
	}
	if msg := fails(t, 2, bluerelay, "pair", "--rotate", setup, "--state", state); !strings.Contains(msg, "a setup URL, or --rotate") {
		t.Errorf("%s", msg)
	}

	// In a pipe nothing is asked, and it is said what was taken.
	setup = decode[struct {
		SetupURL string `json:"setup_url"`
	}](t, run(t, bluecloud, append(pair, "--json")...)).SetupURL
	if out := run(t, bluerelay, "pair", setup, "--state", filepath.Join(w.dir, "piped"), "--chat-db", w.mac.ChatDB()); strings.Contains(out, "[1]") || !strings.Contains(out, "That is --scope all") {
		t.Errorf("%s", out)
	}
}
