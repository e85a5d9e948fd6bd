package cloud_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// asked waits until the Mac is asked to let go, and returns what it was given before.
func (m *mac) asked() []wire.Send {
	m.w.t.Helper()
	for {
		f := m.frame()
		switch {
		case f.Send != nil:
			m.orders = append(m.orders, *f.Send)
		case f.Type == wire.TypeRelease:
			held := m.orders
			m.orders = nil
			return held
		}
	}
}

// heardOut reports and waits until the connection is closed for good.
func (m *mac) heardOut(list ...wire.Report) {
	m.w.t.Helper()
	for _, r := range list {
		m.seq++
		r.Seq = m.seq
		if r.At == 0 {
			r.At = 1
		}
		m.say(wire.Frame{Type: wire.TypeReport, Report: &r})
	}
	if code := m.closed(); code != wire.CloseRevoked {
		m.w.t.Errorf("closed with %d", code)
	}
}

// replace pairs another Mac with the line and returns its credential, once it is there.
func (w *world) replace() (secret func() string) {
	w.t.Helper()
	line, err := w.store.Line(w.t.Context(), w.line.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	setup, err := w.service.StartPairing(w.t.Context(), line, true)
	if err != nil {
		w.t.Fatal(err)
	}
	var pairing sync.WaitGroup
	var answer wire.PairResponse
	var status int
	pairing.Go(func() { status, answer = w.pair(setup) })
	return func() string {
		w.t.Helper()
		pairing.Wait()
		if status != http.StatusOK {
			w.t.Fatalf("%d %+v", status, answer)
		}
		return answer.Secret
	}
}

func patient(c *cloud.Config) { c.ReleaseWait = time.Hour }

// A planned change of Macs: what the old one had not begun goes by the new one, what it
// had begun it finishes; nothing is unknown.
func TestMacLetsGoOfWhatItHolds(t *testing.T) {
	w := newWorld(t, patient)
	secret := w.paired(w.line)
	old := w.connect(secret, hello("ins_a", 0))
	begun, waiting := w.send("+14155550001"), w.send("+14155550002")
	old.report(wire.Report{Kind: wire.Accepted, Message: begun, Attempt: 1})
	old.report(wire.Report{Kind: wire.Accepted, Message: waiting, Attempt: 1})
	old.report(wire.Report{Kind: wire.Sending, Message: begun, Attempt: 1})
	paired := w.replace()
	if got := orderIDs(old.asked()); !slices.Equal(got, []string{begun, waiting}) {
		t.Fatalf("%v", got)
	}
	// What is sent from now on waits for the new one.
	later := w.send("+14155550003")
	fault := &wire.Fault{Code: wire.FaultReleased, Text: "given back"}
	old.report(wire.Report{Kind: wire.NoSend, Message: waiting, Attempt: 1, Again: true, Fault: fault})
	for _, id := range []string{waiting, later} {
		if got := w.message(id); got.Status != wire.Queued || got.InstallID != "" {
			t.Errorf("%+v", got)
		}
	}
	old.report(wire.Report{Kind: wire.Sent, Message: begun, Attempt: 1, GUID: "guid"})
	fresh := w.connect(paired(), hello("ins_b", 0))
	got := fresh.idle()
	if want := []string{waiting, later}; !slices.Equal(orderIDs(got), want) || got[0].Attempt != 2 || got[1].Attempt != 1 {
		t.Errorf("%+v", got)
	}
	if got := w.message(begun).Status; got != wire.StatusSent {
		t.Errorf("it is %s", got)
	}
	// The old Mac is told to come back, and then has nothing more to say.
	if code := old.closed(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	back := w.connect(secret, hello("ins_a", old.seq))
	if !back.welcome.Retired {
		t.Errorf("%+v", back.welcome)
	}
	back.heardOut()
}

// A Mac that does not answer in time, or is not there: what it holds is unknown, and
// only its own facts say more.
func TestReplacedMacTellsWhatItKnows(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.Window, c.ReleaseWait = 4, 10*time.Millisecond })
	secret := w.paired(w.line)
	old := w.connect(secret, hello("ins_a", 0))
	sent, failed, never, unheard := w.send("+14155550001"), w.send("+14155550002"), w.send("+14155550003"), w.send("+14155550004")
	waiting := w.send("+14155550005")
	old.report(wire.Report{Kind: wire.Accepted, Message: sent, Attempt: 1})
	fresh := w.connect(w.replace()(), hello("ins_b", 0))
	if code := old.closed(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	for _, id := range []string{sent, failed, never, unheard} {
		if got := w.message(id); got.Status != wire.StatusUnknown || got.ErrorCode != cloud.OutcomeUnknown {
			t.Errorf("%+v", got)
		}
	}
	if got := orderIDs(fresh.idle()); !slices.Equal(got, []string{waiting}) {
		t.Errorf("%v", got)
	}
	// It comes back with seven more reports in its journal.
	back := w.connect(secret, hello("ins_a", old.seq+7))
	if !back.welcome.Retired || back.welcome.Acked != old.seq || back.welcome.Line != w.line.PhoneNumber {
		t.Fatalf("%+v", back.welcome)
	}
	back.seq = old.seq
	back.heardOut(
		wire.Report{Kind: wire.Sent, Message: sent, Attempt: 1, GUID: "a"},
		wire.Report{Kind: wire.Delivered, Message: sent, Attempt: 1, GUID: "a"},
		wire.Report{Kind: wire.Failed, Message: failed, Attempt: 1, GUID: "b", Fault: &wire.Fault{Code: "messages_error", Number: 22}},
		wire.Report{Kind: wire.NoSend, Message: never, Attempt: 1, Again: true},
		wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "before", From: somebody, Text: secretText}},
		wire.Report{Kind: wire.Typed, Inbound: &wire.Inbound{GUID: "typed", From: somebody, Text: secretText, Status: wire.StatusSent}},
		wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "before", From: somebody, Text: secretText}},
	)
	for id, want := range map[string]wire.Status{sent: wire.StatusDelivered, failed: wire.StatusFailed, never: wire.StatusUnknown, unheard: wire.StatusUnknown} {
		if got := w.message(id).Status; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	// The new Mac sees what the old one saw last, and it counts once.
	fresh.report(wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "before", From: somebody, Text: secretText}})
	if got := w.inbox(); got.AppleGUID != "before" {
		t.Errorf("%+v", got)
	}
	// Nothing of it was given to anybody, and the line is the new Mac's.
	if list := fresh.idle(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	// It has been heard out: what comes from now on is the new Mac's to bring, but for
	// what becomes of the old one's own messages.
	again := w.connect(secret, hello("ins_a", back.seq+3))
	if again.welcome.Acked != back.seq {
		t.Errorf("%+v", again.welcome)
	}
	again.seq = back.seq
	again.heardOut(
		wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: "later", From: somebody, Text: secretText}},
		wire.Report{Kind: wire.Sent, Message: unheard, Attempt: 1, GUID: "c"},
		wire.Report{Kind: wire.Typed, Inbound: &wire.Inbound{GUID: "typed later", From: somebody, Text: secretText, Status: wire.StatusSent}},
	)
	if got := w.message(unheard).Status; got != wire.StatusSent {
		t.Errorf("it is %s", got)
	}
	if n, err := w.store.CountByLine(t.Context(), w.who.Account.ID, 0); err != nil || n[w.line.ID] != 7 {
		t.Errorf("%v messages, %v", n, err)
	}
}

// That a part of a message was not sent is the word of the journal that has its order. One
// that was put back to an earlier day and paired anew says it of what it sent since.
func TestHalfByWordIsNoFact(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.ReleaseWait = 10 * time.Millisecond })
	old := w.connect(w.paired(w.line), hello("ins_a", 0))
	own, foreign := w.send("+14155550001"), w.send("+14155550002")
	half := func(id string) wire.Report {
		return wire.Report{Kind: wire.Failed, Message: id, Attempt: 1, GUID: "file of " + id, Fault: &wire.Fault{Code: wire.FaultText}}
	}
	old.report(half(own))
	fresh := w.connect(w.replace()(), hello("ins_b", 0))
	fresh.report(half(foreign))
	for id, want := range map[string]wire.Status{own: wire.StatusFailed, foreign: wire.StatusUnknown} {
		if got := w.message(id).Status; got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	broken := half(foreign)
	broken.Fault.Number = 3 // of its text's row
	fresh.report(broken)
	if got := w.message(foreign).Status; got != wire.StatusFailed {
		t.Errorf("it is %s", got)
	}
}

// A replaced Mac that has not read Messages' database to its end yet is not heard out
// by what is in its journal: what it reads then may be history to the new one.
func TestReplacedMacReadsFirst(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	old := w.connect(secret, hello("ins_a", 0))
	old.leave()
	eventually(t, "the Mac is away", func() bool { return !w.relay(w.line).Connected })
	w.connect(w.replace()(), hello("ins_b", 0))
	received := func(guid string) wire.Report {
		return wire.Report{Kind: wire.Received, Inbound: &wire.Inbound{GUID: guid, From: somebody, Text: secretText}}
	}
	unread := hello("ins_a", 0)
	unread.Behind = true
	back := w.connect(secret, unread)
	back.report(received("unread"))
	back.leave()
	back = w.connect(secret, hello("ins_a", 1))
	back.heardOut()
	again := w.connect(secret, hello("ins_a", 2))
	again.seq = 1 // it is not sent away before that report
	again.heardOut(received("later"))
	if got := w.inbox(); got.AppleGUID != "unread" {
		t.Errorf("%+v", got)
	}
	if n, err := w.store.CountByLine(t.Context(), w.who.Account.ID, 0); err != nil || n[w.line.ID] != 1 {
		t.Errorf("%v messages, %v", n, err)
	}
}

// The journal of a Mac that was replaced is held to the same rules.
func TestReplacedMacWithAnOldJournal(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	old := w.connect(secret, hello("ins_a", 0))
	id := w.send(somebody)
	old.report(wire.Report{Kind: wire.Accepted, Message: id, Attempt: 1})
	old.leave()
	eventually(t, "the Mac is away", func() bool { return !w.relay(w.line).Connected })
	w.replace()()
	m, _ := w.dial(secret, nil)
	h := hello("ins_a", 0)
	m.say(wire.Frame{Type: wire.TypeHello, Hello: &h})
	if code := m.closed(); code != wire.CloseJournal {
		t.Errorf("closed with %d", code)
	}
	// A journal that was never seen has no claim to anything, and may have facts.
	other := w.connect(secret, hello("ins_x", 1))
	other.seq = 0
	other.heardOut(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "guid"})
	if got := w.message(id).Status; got != wire.StatusSent {
		t.Errorf("it is %s", got)
	}
}

// relay is the Mac of a line.
func (w *world) relay(l store.Line) store.Relay {
	w.t.Helper()
	now, err := w.store.Line(w.t.Context(), l.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := w.store.Relay(w.t.Context(), now.RelayID)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// Only what its credential calls for is open to a Mac that was replaced, and nothing to
// one that was revoked.
func TestReplacedAndRevoked(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { c.ReleaseWait, c.Ping = time.Millisecond, time.Second })
	secret := w.paired(w.line)
	first := w.relay(w.line)
	second := w.replace()()
	resp, err := http.NewRequest(http.MethodGet, w.server.URL+"/relay/v1/files/med_x", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Header.Set("Authorization", "Bearer "+secret)
	if got, err := http.DefaultClient.Do(resp); err != nil || got.StatusCode != http.StatusUnauthorized {
		t.Errorf("a file: %+v, %v", got, err)
	}
	w.connect(secret, hello("ins_a", 0)).heardOut()
	idle := w.connect(secret, hello("ins_a", 5)) // has more to say, and does not
	if err := w.service.RevokeRelay(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if code := idle.closed(); code != wire.CloseRevoked {
		t.Errorf("closed with %d", code)
	}
	if _, status := w.dial(secret, nil); status != http.StatusUnauthorized {
		t.Errorf("let in with %d", status)
	}
	if err := w.service.RevokeRelay(t.Context(), first.ID); err == nil {
		t.Error("revoked twice")
	}
	w.connect(second, hello("ins_b", 0)).idle()
	if err := w.service.RevokeRelay(t.Context(), w.relay(w.line).ID); err != nil {
		t.Fatal(err)
	}
	if _, status := w.dial(second, nil); status != http.StatusUnauthorized {
		t.Errorf("let in with %d", status)
	}
}

// Where the new Mac does not come after all, the old one goes on.
func TestMacStays(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) { patient(c); c.SetupTTL = time.Hour })
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	id := w.send(somebody)
	m.report(wire.Report{Kind: wire.Accepted, Message: id, Attempt: 1})
	line, err := w.store.Line(t.Context(), w.line.ID)
	if err != nil {
		t.Fatal(err)
	}
	setup, err := w.service.StartPairing(t.Context(), line, true)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int)
	go func() {
		status, _ := w.pair(setup)
		done <- status
	}()
	m.asked()
	// Its setup URL is void by now: a newer one was made.
	if _, err := w.service.StartPairing(t.Context(), line, true); err != nil {
		t.Fatal(err)
	}
	m.report(wire.Report{Kind: wire.NoSend, Message: id, Attempt: 1, Again: true, Fault: &wire.Fault{Code: wire.FaultReleased}})
	if status := <-done; status != http.StatusForbidden {
		t.Errorf("%d", status)
	}
	if code := m.closed(); code != 1001 {
		t.Errorf("closed with %d", code)
	}
	back := w.connect(secret, hello("ins_a", m.seq))
	if o := back.order(); o.Message != id || o.Attempt != 2 || back.welcome.Retired {
		t.Errorf("%+v", o)
	}
}
