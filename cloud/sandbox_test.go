package cloud_test

import (
	"errors"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// Who asks with a test key has its simulated Mac started; nobody else has.
func TestSandboxIsAskedFor(t *testing.T) {
	var asked []string
	w := newWorld(t, func(c *cloud.Config) { c.Sandbox = func(id string) { asked = append(asked, id) } })
	p := w.who
	all := []string{"*"}
	for _, dialect := range []string{store.TextingBlue, store.Sendblue} {
		key, secret, line, err := w.service.CreateTestKey(t.Context(), p.Account.ID, dialect, all)
		if err != nil {
			t.Fatal(err)
		}
		if dialect == store.Sendblue && !strings.HasPrefix(key.Shown, "test_") {
			t.Errorf("the pair's id is %q", key.Shown)
		}
		if line.AccountID != key.AccountID || key.AccountID == p.Account.ID || !strings.HasPrefix(line.PhoneNumber, "+1500555") {
			t.Errorf("line %+v, key %+v", line, key)
		}
		if dialect == store.Sendblue {
			continue // its sign-in is the dialect's
		}
		who, err := w.service.Authenticate(t.Context(), dialect, secret)
		if err != nil || !who.Test() || who.Account.TestOf != p.Account.ID {
			t.Fatalf("%+v, %v", who, err)
		}
		if err := w.service.RemoveNumber(t.Context(), who, line.ID); cloud.Public(err) == nil || cloud.Public(err).Code != cloud.Forbidden {
			t.Errorf("the test line is removed: %v", err)
		}
		if len(asked) != 1 || asked[0] != key.AccountID {
			t.Errorf("asked for %v", asked)
		}
		if _, _, _, err := w.service.CreateTestKey(t.Context(), key.AccountID, dialect, all); err == nil {
			t.Error("the account of test keys gets test keys of its own")
		}
		if _, _, err := w.service.CreateKey(t.Context(), key.AccountID, dialect, all); err == nil {
			t.Error("the account of test keys gets a live key")
		}
	}
	for name, want := range map[string][]string{"no permission": nil, "an unknown one": {"messages:steal"}} {
		if _, _, _, err := w.service.CreateTestKey(t.Context(), p.Account.ID, store.TextingBlue, want); err == nil {
			t.Errorf("a test key with %s is made", name)
		}
	}
	if _, _, _, err := w.service.CreateTestKey(t.Context(), "team_none", store.TextingBlue, all); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a test key of no account: %v", err)
	}
}
