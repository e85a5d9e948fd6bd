package cloud_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"bluerelay/wire"
)

// tries asks for a test message as a Mac does.
func (w *world) tries(secret, body string) (int, wire.TrialAnswer) {
	w.t.Helper()
	return postAsMac[wire.TrialAnswer](w, "/relay/v1/test", secret, body)
}

// A person at the Mac gets an ordinary message from the Mac's own line.
func TestTrial(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	status, answer := w.tries(secret, `{"to":"+14155551234"}`)
	if status != http.StatusAccepted || !strings.HasPrefix(answer.Message, "msg_") {
		t.Fatalf("%d %+v", status, answer)
	}
	m := w.connect(secret, hello("ins_a", 0))
	if o := m.order(); o.Message != answer.Message || o.To != "+14155551234" || o.Text == "" {
		t.Errorf("%+v", o)
	}
	for body, want := range map[string]int{
		"":                      http.StatusBadRequest,
		"{":                     http.StatusBadRequest,
		"{}":                    http.StatusBadRequest,
		`{"to":"hello"}`:        http.StatusBadRequest,
		`{"to":"+14155559876"}`: http.StatusBadRequest, // the line's own
		`{"to":"` + strings.Repeat("x", wire.MaxFrame) + `"}`: http.StatusBadRequest,
	} {
		if status, answer := w.tries(secret, body); status != want || answer.Error == "" || answer.Message != "" {
			t.Errorf("%.40q: %d %+v", body, status, answer)
		}
	}
	if status, _ := w.tries("rly_nobody", `{"to":"+14155551234"}`); status != http.StatusUnauthorized {
		t.Errorf("a stranger: %d", status)
	}
	if got := w.column("SELECT content FROM messages"); len(got) != 1 {
		t.Errorf("%d messages are stored", len(got))
	}
}

func failed(name, next string) wire.Check {
	return wire.Check{Name: name, State: wire.CheckFail, Evidence: []string{"seen"}, Next: next}
}

// What a Mac finds is kept, and told where it begins to fail; not again by another
// connection, and not where its health tells it.
func TestCheckupIsKeptAndTold(t *testing.T) {
	w := newWorld(t, telling)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	says := func(checks ...wire.Check) {
		t.Helper()
		m.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}, Checkup: &wire.Checkup{At: 1, Checks: checks}})
		m.idle()
	}
	says(wire.Check{Name: "macos", State: wire.CheckOK}, failed("sleep", "Keep it awake."), failed("chat_db", "Allow it."))
	says(wire.Check{Name: "macos", State: wire.CheckOK}, failed("sleep", "Keep it awake."))
	m.leave()
	m = w.connect(secret, hello("ins_a", m.seq))
	says(failed("sleep", "Keep it awake."))
	says(wire.Check{Name: "sleep", State: wire.CheckOK})
	says(failed("sleep", "Keep it awake."), failed("clock", "Set it."), wire.Check{Name: "later", State: "new"})
	// One that knows nothing of checks keeps what is known.
	m.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}})
	m.idle()
	var told []string
	for _, e := range w.macEvents() {
		if strings.HasPrefix(e, "relay.attention") {
			told = append(told, e)
		}
	}
	if want := []string{"relay.attention sleep", "relay.attention sleep", "relay.attention clock"}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
	relays, err := w.store.Relays(t.Context(), w.who.Account.ID)
	if err != nil || len(relays) != 1 {
		t.Fatal(relays, err)
	}
	c := relays[0].CheckupDone()
	if len(c.Checks) != 2 || c.First() == nil || c.First().Name != "sleep" || c.First().Next != "Keep it awake." || relays[0].CheckedAt == 0 {
		t.Errorf("%+v", c)
	}
}
