package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/simulator"
)

// Another Mac takes the line over in the middle of a queue, by the commands of the
// README, while the first one is at work: every message goes once, by one of the two,
// and none is unknown. Both Macs have the same Messages here, as two of one Apple
// Account would have the same conversations.
func TestAnotherMacTakesOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 10)
	w.startRelay()
	const messages = 40
	ids := make([]string, messages)
	for i := range messages {
		ids[i] = w.send(fmt.Sprintf("+1415555%04d", 2000+i), fmt.Sprintf("message %d", i)).ID
	}
	w.delivers(ids[0])
	setup := decode[struct {
		SetupURL string `json:"setup_url"`
	}](t, run(t, bluecloud, "line", "pair", line, "--replace", "--json", "--database", w.database()))
	other := filepath.Join(w.dir, "other")
	run(t, bluerelay, "pair", setup.SetupURL, "--state", other, "--chat-db", w.mac.ChatDB())
	first := w.relay
	w.relay = start(t, bluerelay, "run", "--state", other, "--chat-db", w.mac.ChatDB(), "--osascript", w.mac.Osascript())
	for i, id := range ids {
		eventually(t, 30*time.Second, fmt.Sprintf("message %d delivered: %+v", i, w.get(id)), func() bool { return w.get(id).Status == "delivered" })
	}
	first.out.await(t, "another Mac has taken over", 20*time.Second)
	effects, err := simulator.Effects(filepath.Join(w.dir, "mac"))
	if err != nil {
		t.Fatal(err)
	}
	times := make(map[string]int)
	for _, e := range effects {
		times[e.Recipient]++
	}
	for i := range messages {
		if n := times[fmt.Sprintf("+1415555%04d", 2000+i)]; n != 1 {
			t.Errorf("message %d left %d times", i, n)
		}
	}
	list := decode[struct {
		Relays []struct {
			Alarms int `json:"alarms"`
		} `json:"relays"`
	}](t, run(t, bluecloud, "relay", "list", "--json", "--database", w.database()))
	if len(list.Relays) != 1 || list.Relays[0].Alarms != 0 {
		t.Errorf("%+v", list)
	}
}
