package e2e_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/simulator"
)

// What happens to a message after it came, through the whole product: edits, a
// tapback and its taking back, and what the owner types himself; the relay is killed
// in between.
func TestChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	w.startRelay()
	hook := newReceiver(t)
	events := []string{"message.received", "message.sent", "message.updated", "message.tapback"}
	if status, body, err := w.call("POST", "/v1/webhooks", map[string]any{"url": hook.URL, "events": events}); err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	mac, ctx := filepath.Join(w.dir, "mac"), t.Context()
	must := func(guid string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return guid
	}
	content := func(want string) func() bool {
		return func() bool {
			list := w.all("direction=inbound")
			return len(list) == 1 && list[0].Content == want
		}
	}
	const friend = "+14155551234"
	guid := must(simulator.Receive(ctx, mac, simulator.Inbound{From: friend, Text: "helo"}))
	eventually(t, 20*time.Second, "the message", content("helo"))
	must("", simulator.Edit(ctx, mac, guid, "hello"))
	eventually(t, 20*time.Second, "the edit", content("hello"))

	w.relay.kill()
	must("", simulator.Edit(ctx, mac, guid, "hello!"))
	must(simulator.Tapback(ctx, mac, guid, friend, "laugh"))
	must(simulator.Type(ctx, mac, friend, "from my phone"))
	w.startRelay()
	eventually(t, 20*time.Second, "the second edit", content("hello!"))
	eventually(t, 20*time.Second, "what was typed", func() bool {
		list := w.all("direction=outbound")
		return len(list) == 1 && list[0].Content == "from my phone" && list[0].Status == "delivered" && list[0].To == friend
	})
	_, body, err := w.call("GET", "/v1/messages/"+w.all("direction=outbound")[0].ID, nil)
	if err != nil || !strings.Contains(body, `"origin":"device"`) {
		t.Errorf("%s, %v", body, err)
	}
	must("", simulator.Unsend(ctx, mac, guid))
	eventually(t, 20*time.Second, "the taking back", content(""))
	_, body, err = w.call("GET", "/v1/messages/"+w.all("direction=inbound")[0].ID, nil)
	if err != nil || !strings.Contains(body, `"unsent_at"`) || strings.Count(body, `"part":0`) != 3 {
		t.Errorf("%s, %v", body, err)
	}

	want := []string{"message.received", "message.tapback laugh", "message.updated edited", "message.updated edited", "message.updated unsent"}
	var got []string
	eventually(t, 20*time.Second, fmt.Sprintf("webhooks %q, last %q", want, got), func() bool {
		got = hook.changes(t)
		return slices.Equal(got, want)
	})
}

// changes are the webhooks that came, sorted, each with what it says beyond its type.
func (r *receiver) changes(t testing.TB) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, body := range r.bodies {
		one := decode[struct {
			Type   string
			Change string
			Data   struct{ Kind string }
		}](t, body)
		list = append(list, strings.TrimSpace(one.Type+" "+one.Change+one.Data.Kind))
	}
	slices.Sort(list)
	return list
}
