package textingblue_test

import (
	"net/http"
	"testing"

	"bluerelay/wire"
)

// The Macs of the account's own numbers, with what they found when they last looked.
func TestRelaysAreListed(t *testing.T) {
	w := newWorld(t, nil)
	list := func() (macs []struct {
		Connected, Ready bool
		Code, Reason     *string
		CheckedAt        *string `json:"checked_at"`
		Checks           []struct {
			Name, State string
			NextStep    *string `json:"next_step"`
			Settings    *string `json:"settings_url"`
			Evidence    []string
		}
	}) {
		t.Helper()
		var body struct{ Relays any }
		body.Relays = &macs
		w.ok("GET", "/v1/relays", "", http.StatusOK).into(t, &body)
		return macs
	}
	if got := list(); len(got) != 0 {
		t.Errorf("a number without a Mac: %+v", got)
	}
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	if got := list(); len(got) != 1 || !got[0].Connected || !got[0].Ready || got[0].Code != nil || got[0].CheckedAt != nil || len(got[0].Checks) != 0 {
		t.Errorf("a Mac that has not looked: %+v", got)
	}
	m.say(wire.Frame{
		Type:   wire.TypeHealth,
		Health: &wire.Health{Code: wire.ProblemAutomation, Reason: "Allow it."},
		Checkup: &wire.Checkup{Checks: []wire.Check{
			{Name: "macos", State: wire.CheckOK, Evidence: []string{"macOS 15.5"}},
			{Name: "automation", State: wire.CheckFail, Next: "Allow it.", Settings: "x-apple.systempreferences:x"},
		}},
	})
	m.inbound(1) // what was said before it is stored when it is
	got := list()
	if len(got) != 1 || got[0].Ready || got[0].Code == nil || *got[0].Code != "automation" || got[0].CheckedAt == nil || len(got[0].Checks) != 2 {
		t.Fatalf("%+v", got)
	}
	if c := got[0].Checks[1]; c.State != "fail" || c.NextStep == nil || *c.NextStep != "Allow it." || c.Settings == nil || c.Evidence == nil {
		t.Errorf("%+v", c)
	}
	if c := got[0].Checks[0]; c.NextStep != nil || len(c.Evidence) != 1 {
		t.Errorf("%+v", c)
	}
	m.leave()
	empty := w.call("GET", "/v1/relays", w.newKey(w.newAccount("team_b", 0), "texting_blue", "numbers:read"), "")
	if string(empty.body) != `{"relays":[]}` {
		t.Errorf("%s", empty.body)
	}
}
