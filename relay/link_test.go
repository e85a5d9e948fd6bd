package relay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/applescript"
	"bluerelay/wire"
)

func contextOf(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context()))
}

func TestAnOrderGoesItsWay(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.start()
	m.orders(order("msg_1", 1, alice, "hello"))
	m.hears("sending msg_1 1")
	m.runs(1)
	m.say("G-1", alice, "hello", true, time.Now())
	m.hears("sent msg_1 1")
	if want := []string{"send-text iMessage participant " + alice + " hello"}; !slices.Equal(m.ran(), want) {
		t.Errorf("ran %q, want %q", m.ran(), want)
	}
	m.orders(order("msg_2", 1, alice, "again"))
	m.hears("sending msg_2 1")
	m.runs(2)
	m.say("G-2", alice, "again", true, time.Now())
	m.hears("sent msg_2 1")
	if got, want := m.ran()[1], "send-text any chat any;-;"+alice+" again"; got != want {
		t.Errorf("ran %q, want %q", got, want)
	}
}

// TestFileAndTextGoTheirWay: fetched, staged, sent, and told of as one message.
func TestFileAndTextGoTheirWay(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	content := bytesOf(50_000)
	sum := sha256.Sum256(content)
	m.files["fil_1"] = content
	m.start()
	o := order("msg_1", 1, alice, "look")
	o.File = &wire.File{ID: "fil_1", Name: "cat.png", MIME: "image/png", Size: int64(len(content)), SHA256: hex.EncodeToString(sum[:])}
	m.orders(o)
	m.hears("sending msg_1 1")
	m.runs(1)
	head := "send-file iMessage participant " + alice + " "
	path, ok := strings.CutPrefix(m.ran()[0], head)
	root := filepath.Join(filepath.Dir(m.messages.path), "Attachments", stageDir)
	if data, err := os.ReadFile(path); !ok || err != nil || string(data) != string(content) || !strings.HasPrefix(path, root) || filepath.Base(path) != "cat.png" {
		t.Fatalf("ran %q, %v", m.ran(), err)
	}
	m.sayFile("G-file", alice, path, time.Now())
	m.runs(2)
	m.say("G-text", alice, "look", true, time.Now())
	m.hears("sent msg_1 1")
	if got := m.heard(); !slices.Equal(got, []string{"accepted msg_1 1", "sending msg_1 1", "sent msg_1 1"}) {
		t.Errorf("heard %q", got)
	}
	if got := m.ran()[1]; !strings.HasSuffix(got, "look") || !strings.HasPrefix(got, "send-text ") {
		t.Errorf("ran %q", got)
	}
}

// sayFile adds an own message that is a file alone.
func (m *messages) sayFile(guid, handle, path string, at time.Time) {
	m.t.Helper()
	m.exec("INSERT INTO attachment (guid, original_guid, filename, transfer_name, transfer_state, total_bytes, is_outgoing) VALUES (?, ?, ?, ?, 5, 9, 1)", "at_0_"+guid, "at_0_"+guid, path, filepath.Base(path))
	m.exec("BEGIN IMMEDIATE")
	m.say(guid, handle, "\ufffc", true, at)
	m.exec("UPDATE message SET cache_has_attachments = 1 WHERE guid = ?", guid)
	m.exec("INSERT INTO message_attachment_join (message_id, attachment_id) SELECT message.ROWID, attachment.ROWID FROM message, attachment WHERE message.guid = ? AND attachment.guid = ?", guid, "at_0_"+guid)
	m.exec("COMMIT")
}

// TestRefusedRelayBeginsNothing: what an earlier run was ordered waits until the cloud
// has said that it still counts.
func TestRefusedRelayBeginsNothing(t *testing.T) {
	t.Parallel()
	for _, code := range []int{wire.CloseRevoked, wire.CloseJournal, wire.CloseSuperseded, wire.CloseTooOld, wire.CloseNotYours} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			m := newMac(t)
			m.journal(func(j *journal) { give(t, j, order("msg_1", 1, alice, "hello")) })
			refusals := 0
			m.greeting(func(wire.Hello) (wire.Welcome, int) { refusals++; return wire.Welcome{}, code })
			m.start()
			m.until("some refusals", func() bool { return refusals > 3 })
			if ran := m.ran(); len(ran) > 0 {
				t.Fatalf("it ran %q", ran)
			}
			m.welcome(wire.Welcome{})
			m.hears("sending msg_1 1")
		})
	}
}

// TestRevokedInTheMiddle: after 4401, or once another connection has taken over, nothing
// is begun that was not.
func TestRevokedInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, code := range []int{wire.CloseRevoked, wire.CloseSuperseded, wire.CloseNotYours} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			revokedInTheMiddle(t, code)
		})
	}
}

func revokedInTheMiddle(t *testing.T, code int) {
	m := newMac(t)
	m.start()
	waits := order("msg_1", 1, alice, "")
	waits.File = &picture // which does not come for the time being
	m.orders(waits)
	m.hears("accepted msg_1 1")
	refusals := 0
	m.greeting(func(wire.Hello) (wire.Welcome, int) { refusals++; return wire.Welcome{}, code })
	m.drop(code)
	m.until("some refusals", func() bool { return refusals > 1 })
	m.mu.Lock()
	m.files["fil_1"] = []byte("abc")
	m.mu.Unlock()
	m.until("the file", func() bool {
		list, _ := filepath.Glob(filepath.Join(filepath.Dir(m.messages.path), "Attachments", stageDir, "*", "cat.png"))
		return len(list) > 0
	})
	m.until("more refusals", func() bool { return refusals > 5 })
	if ran := m.ran(); len(ran) > 0 {
		t.Errorf("it ran %q", ran)
	}
}

func TestCancelOverTheLink(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.start()
	m.says(wire.Frame{Type: wire.TypeCancel, Cancel: &wire.Cancel{Message: "msg_1", Attempt: 1}})
	m.hears("nosend msg_1 1 canceled")
	m.orders(order("msg_1", 1, alice, "hello"))
	waits := order("msg_2", 1, alice, "")
	waits.File = &picture
	m.orders(waits)
	m.hears("accepted msg_2 1")
	m.says(wire.Frame{Type: wire.TypeCancel, Cancel: &wire.Cancel{Message: "msg_2", Attempt: 1}})
	m.hears("nosend msg_2 1 canceled")
	m.orders(order("msg_3", 1, alice, "hello"))
	m.hears("sending msg_3 1")
	m.runs(1)
	m.says(wire.Frame{Type: wire.TypeCancel, Cancel: &wire.Cancel{Message: "msg_3", Attempt: 1}}) // too late
	m.say("G-3", alice, "hello", true, time.Now())
	m.hears("sent msg_3 1")
	if len(m.ran()) != 1 {
		t.Errorf("ran %q", m.ran())
	}
}

func TestReleaseOverTheLink(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	// osascript takes its time, so that the sender does not just take what is given back.
	ready := filepath.Join(t.TempDir(), "ready")
	m.osascript("echo \"$4 $5 $6 $7 $8\" >>" + m.calls + "; echo " + applescript.Dispatch + " >&2; until [ -e " + ready + " ]; do sleep 0.02; done")
	m.start()
	waits := order("msg_1", 1, alice, "")
	waits.File = &picture
	m.orders(waits)
	m.orders(order("msg_2", 1, bob, "in hand"))
	m.hears("sending msg_2 1")
	m.runs(1)
	m.says(wire.Frame{Type: wire.TypeRelease})
	m.hears("nosend msg_1 1 released")
	m.until("the news that it does not send", func() bool { return m.health.Code == wire.ProblemReleased && m.health.Reason != "" })
	m.orders(order("msg_3", 1, alice, "too late"))
	m.hears("nosend msg_3 1 released")
	if err := os.WriteFile(ready, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m.say("G-2", bob, "in hand", true, time.Now())
	m.hears("sent msg_2 1")
	// The cloud has thought better of it.
	m.drop(1001)
	m.orders(order("msg_1", 2, alice, "instead"))
	m.hears("sending msg_1 2")
	m.until("the news that it sends", func() bool { return m.health.Ready })
}

// TestRetiredRelayReportsFacts and nothing else; what it had not begun is dropped.
func TestRetiredRelayReportsFacts(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.start()
	m.orders(order("msg_1", 1, alice, "hello"))
	m.hears("sending msg_1 1")
	m.runs(1)
	m.stop()
	m.mu.Lock()
	m.conn = nil
	m.mu.Unlock()
	m.journal(func(j *journal) {
		if err := j.receive(t.Context(), order("msg_2", 1, bob, "not begun"), time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	m.welcome(wire.Welcome{Retired: true})
	m.start()
	m.hears("accepted msg_2 1") // a report like any other
	m.say("G-1", alice, "hello", true, time.Now())
	m.hears("sent msg_1 1")
	if len(m.ran()) != 1 || slices.ContainsFunc(m.heard(), func(r string) bool { return strings.HasPrefix(r, "nosend") }) {
		t.Errorf("ran %q, heard %q", m.ran(), m.heard())
	}
	m.stop()
	m.journal(func(j *journal) { wantState(t, j, "msg_2", stateNoSend) })
}

// TestRetiredRelayStaysRetired: a cloud that was put back to a copy from before the change of
// Macs orders what the other Mac may have sent. Nothing of it goes before a new pairing.
func TestRetiredRelayStaysRetired(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.welcome(wire.Welcome{Retired: true})
	m.start()
	m.until("the news that it is retired", func() bool { return m.health.Code == wire.ProblemReleased })
	m.stop()
	m.mu.Lock()
	m.conn = nil
	m.mu.Unlock()
	var said []wire.Hello
	m.greeting(func(h wire.Hello) (wire.Welcome, int) { said = append(said, h); return wire.Welcome{}, 0 })
	m.start()
	m.orders(order("msg_1", 1, alice, "hello"))
	m.hears("nosend msg_1 1 released")
	m.drop(1001)
	m.orders(order("msg_2", 1, bob, "hello"))
	m.hears("nosend msg_2 1 released")
	m.until("that each hello says so", func() bool {
		return len(said) == 2 && said[0].Health.Code == wire.ProblemReleased && said[1].Health.Code == wire.ProblemReleased
	})
	m.stop()
	if ran := m.ran(); len(ran) > 0 {
		t.Errorf("ran %q", ran)
	}
	m.journal(func(j *journal) {
		if err := j.renew(t.Context(), "a cloud and a line", true, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
	})
	m.mu.Lock()
	m.conn = nil
	m.mu.Unlock()
	m.start()
	m.orders(order("msg_3", 1, alice, "hello"))
	m.hears("sending msg_3 1")
}

// TestRetiredRelayReadsFirst: the hello by which it is heard out counts what came while
// no daemon ran.
func TestRetiredRelayReadsFirst(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.journal(func(j *journal) { // as a pairing does: else the first row may be history
		if err := j.setCursor(t.Context(), Pairing{ChatDB: m.path}.mark(t.Context())); err != nil {
			t.Fatal(err)
		}
	})
	m.start()
	m.say("G-1", alice, "read", false, time.Now())
	m.until("the first row", func() bool { return len(m.reports) == 1 })
	m.stop()
	m.say("G-2", alice, "unread", false, time.Now())
	var said []wire.Hello
	m.greeting(func(h wire.Hello) (wire.Welcome, int) {
		said = append(said, h)
		return wire.Welcome{Retired: true}, 0
	})
	m.start()
	m.until("a hello that knows all", func() bool { return len(said) > 0 && !said[len(said)-1].Behind })
	if high := said[len(said)-1].JournalHigh; high != 2 {
		t.Errorf("its journal counts %d reports", high)
	}
}

// TestExpiryOverTheLink: while the queue stands still, time goes on.
func TestExpiryOverTheLink(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.start()
	o := order("msg_1", 1, alice, "")
	o.File, o.ExpiresIn = &picture, 50
	m.orders(o)
	m.hears("nosend msg_1 1 expired")
	if len(m.ran()) > 0 {
		t.Errorf("ran %q", m.ran())
	}
}

// TestRestoredCloudHearsAgain what it had acknowledged and forgot.
func TestRestoredCloudHearsAgain(t *testing.T) {
	t.Parallel()
	m := newMac(t)
	m.start()
	m.orders(order("msg_1", 1, alice, "hello"))
	m.hears("sending msg_1 1")
	m.runs(1)
	m.say("G-1", alice, "hello", true, time.Now())
	m.hears("sent msg_1 1")
	m.mu.Lock()
	before := m.heard()
	m.reports = nil
	m.mu.Unlock()
	m.drop(1001)
	m.hears("sent msg_1 1")
	if got := m.heard(); !slices.Equal(got, before) {
		t.Errorf("heard %q again, of %q", got, before)
	}
	m.orders(order("msg_1", 1, alice, "hello"))
	m.until("the answer", func() bool { return len(m.reports) == len(before)+1 })
	if len(m.ran()) != 1 {
		t.Errorf("ran %q", m.ran())
	}
}
