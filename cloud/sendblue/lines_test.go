package sendblue_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/sendblue"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// What the stream tells of a line is what is answered when one asks for its state.
func TestStatusOfALineIsTold(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	resp, err := http.DefaultClient.Do(w.request("GET", "/api/v2/events?types=line.status.changed", w.pair, "").WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	for in.Scan() && !strings.HasPrefix(in.Text(), "id: ") { // the stream has begun
	}
	told := func(want string) {
		t.Helper()
		for in.Scan() {
			text, ok := strings.CutPrefix(in.Text(), "data: ")
			if !ok {
				continue
			}
			var e struct {
				Type string
				Data struct {
					Number string `json:"sendblue_number"`
					Status string
				}
			}
			if err := json.Unmarshal([]byte(text), &e); err != nil || e.Type != "line.status.changed" || e.Data.Number != line || e.Data.Status != want {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
			var now struct{ Data []struct{ Status string } }
			if w.ok("GET", "/api/v2/lines/state", "").into(t, &now); now.Data[0].Status != want {
				t.Errorf("the state is %s, want %s", now.Data[0].Status, want)
			}
			return
		}
		t.Fatalf("the stream ended: %v", in.Err())
	}
	set := func(status string) {
		t.Helper()
		if _, err := w.service.UpdateNumber(t.Context(), cloud.Principal{Account: w.account}, w.line.ID, cloud.LineChange{Status: &status}); err != nil {
			t.Fatal(err)
		}
	}
	denied := wire.Health{Code: wire.ProblemAutomation, Reason: "Allow it."}
	mac := w.connect(secret, "a")
	told("ONLINE")
	mac.say(wire.Frame{Type: wire.TypeHealth, Health: &denied})
	told("DEGRADED")
	mac.say(wire.Frame{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}})
	told("ONLINE")
	set(store.LinePaused)
	told("DEGRADED")
	set(store.LineActive)
	told("ONLINE")
	mac.say(wire.Frame{Type: wire.TypeHealth, Health: &denied})
	told("DEGRADED")
	mac.leave()
	told("OFFLINE")
	w.connectAs(secret, "a", denied) // the same as before it went
	told("DEGRADED")
	w.connect(secret, "a") // in the place of its former connection
	told("ONLINE")
	now, err := w.store.Line(t.Context(), w.line.ID)
	if err == nil {
		err = w.service.RevokeRelay(t.Context(), now.RelayID)
	}
	if err != nil {
		t.Fatal(err)
	}
	told("UNKNOWN")
}

// An event that says nothing of how the line is now is not told as a change of it.
func TestWhatSaysNothingOfALine(t *testing.T) {
	own := store.Line{ID: "num_a", PhoneNumber: line, RelayID: "rel_a", Status: store.LineActive}
	for name, c := range map[string]struct {
		kind string
		mac  store.Relay
		want string
	}{
		"a check that fails":        {"relay.attention", store.Relay{ID: "rel_a", Connected: true, Ready: true}, ""},
		"a problem":                 {"relay.attention", store.Relay{ID: "rel_a", Connected: true}, `{"sendblue_number":"` + line + `","status":"DEGRADED"}`},
		"a Mac that is away long":   {"relay.attention", store.Relay{ID: "rel_a"}, ""},
		"the end of a former Mac":   {"relay.offline", store.Relay{ID: "rel_b"}, ""},
		"the Mac's end":             {"relay.offline", store.Relay{ID: "rel_a"}, `{"sendblue_number":"` + line + `","status":"OFFLINE"}`},
		"a group that has a member": {"group.updated", store.Relay{ID: "rel_a"}, ""},
	} {
		got, err := sendblue.Dialect().Body(store.Event{Type: c.kind, Line: &own, Relay: &c.mac}, store.Message{})
		if err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, c.want)
		}
	}
}
