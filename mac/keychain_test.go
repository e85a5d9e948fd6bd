package mac

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// keychain is a stand-in for the login keychain, in a folder of its own.
func keychain(t testing.TB) Keychain {
	t.Helper()
	script, err := os.ReadFile("testdata/keychain/security")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "security"), script, 0o700); err != nil {
		t.Fatal(err)
	}
	return Keychain{Tools: Tools{Dir: dir}, Service: "com.example", Account: "rel_1"}
}

func touch(t testing.TB, k Keychain, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(k.Tools.Dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestKeychain(t *testing.T) {
	k := keychain(t)
	if _, err := k.Get(t.Context()); !errors.Is(err, ErrKeychainItem) {
		t.Errorf("nothing is there: %v", err)
	}
	for _, secret := range []string{"rly_very_secret", "rly_another.one."} {
		if err := k.Set(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Get(t.Context()); err != nil || got != secret {
			t.Errorf("%q, %v", got, err)
		}
	}
	for range 2 {
		if err := k.Delete(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if _, err := k.Get(t.Context()); !errors.Is(err, ErrKeychainItem) {
		t.Errorf("it was deleted: %v", err)
	}
	seen, err := os.ReadFile(filepath.Join(k.Tools.Dir, "arguments"))
	if err != nil || !strings.Contains(string(seen), "-i\n") || strings.Contains(string(seen), "secret") || strings.Contains(string(seen), "another") {
		t.Errorf("the arguments, which everybody sees, were %q, %v", seen, err)
	}
}

func TestKeychainRefuses(t *testing.T) {
	k := keychain(t)
	for _, secret := range []string{"", "a b", "a\nadd-generic-password", `a"b`, "a'b", "a;b", "é"} {
		if err := k.Set(t.Context(), secret); err == nil {
			t.Errorf("%q was taken", secret)
		}
	}
	touch(t, k, "refusing")
	if err := k.Set(t.Context(), "secret"); err == nil || !strings.Contains(err.Error(), "did not take the item") {
		t.Errorf("%v", err)
	}
	touch(t, k, "locked")
	_, err := k.Get(t.Context())
	for what, err := range map[string]error{"get": err, "set": k.Set(t.Context(), "secret"), "delete": k.Delete(t.Context())} {
		if !errors.Is(err, ErrKeychainLocked) || !strings.Contains(err.Error(), "security unlock-keychain") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What security says is known by its code or by its words, and not repeated.
func TestKeychainAnswers(t *testing.T) {
	for script, want := range map[string]string{
		"exit 44":                            "no such item",
		"echo 'returned -25300' >&2; exit 1": "no such item",
		"exit 36":                            "-25308",
		"exit 51":                            "-25308",
		"echo 'error: -25308' >&2; exit 1":   "-25308",
		"exit 37":                            "-25307",
		"echo 'odd words of alice@example.com' >&2; exit 99": "security ended with 99",
	} {
		dir := t.TempDir()
		standIn(t, dir, "security", script)
		_, err := Keychain{Tools: Tools{Dir: dir}, Service: "s", Account: "a"}.Get(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "alice") {
			t.Errorf("%s: %v", script, err)
		}
	}
	if _, err := (Keychain{Tools: Tools{Dir: t.TempDir()}}).Get(t.Context()); !errors.Is(err, ErrNoTool) {
		t.Errorf("no security: %v", err)
	}
}

func TestExcludeFromBackup(t *testing.T) {
	dir := t.TempDir()
	standIn(t, dir, "tmutil", `echo "$@" >"$(dirname "$0")/said"`)
	if err := (Tools{Dir: dir}).ExcludeFromBackup(t.Context(), "/a b/c"); err != nil {
		t.Fatal(err)
	}
	if said, err := os.ReadFile(filepath.Join(dir, "said")); err != nil || string(said) != "addexclusion /a b/c\n" {
		t.Errorf("%q, %v", said, err)
	}
	standIn(t, dir, "tmutil", "exit 213")
	if err := (Tools{Dir: dir}).ExcludeFromBackup(t.Context(), "/a"); err == nil || !strings.Contains(err.Error(), "213") {
		t.Errorf("%v", err)
	}
	if err := (Tools{Dir: t.TempDir()}).ExcludeFromBackup(t.Context(), "/a"); !errors.Is(err, ErrNoTool) {
		t.Errorf("%v", err)
	}
}
