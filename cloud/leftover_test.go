package cloud_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// typedAt is a row that a Mac has seen and was not asked to send, made so long ago.
func typedAt(guid, text string, ago time.Duration, files ...string) wire.Report {
	in := &wire.Inbound{GUID: guid, From: somebody, Text: text, Sent: time.Now().Add(-ago).UnixMilli(), Status: wire.StatusSent}
	for _, name := range files {
		in.Media = append(in.Media, wire.Media{ID: "at_" + name, Name: name, MIME: "image/png"})
	}
	in.Attachments = len(files)
	return wire.Report{Kind: wire.Typed, At: in.Sent, GUID: guid, Service: "iMessage", Inbound: in}
}

// hasty waits for no Mac that is to be replaced.
func hasty(c *cloud.Config) { c.ReleaseWait = 10 * time.Millisecond }

// lost is a message that a Mac had when another one took its place, that other one, and
// how the first comes back and tells what it knows.
func (w *world) lost() (id string, fresh *mac, comesBack func(...wire.Report)) {
	w.t.Helper()
	secret := w.paired(w.line)
	old := w.connect(secret, hello("ins_a", 0))
	id = w.send(somebody)
	old.order()
	old.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1})
	fresh = w.connect(w.replace()(), hello("ins_b", 0))
	if got := w.message(id).Status; got != wire.StatusUnknown {
		w.t.Fatalf("it is %s", got)
	}
	told := old.seq
	return id, fresh, func(list ...wire.Report) {
		w.t.Helper()
		back := w.connect(secret, hello("ins_a", told+int64(len(list))))
		back.seq = told // it has not told these
		back.heardOut(list...)
		told = back.seq
	}
}

// typedOnes are the messages that the owner is said to have written.
func (w *world) typedOnes() []string {
	return w.column("SELECT content FROM messages WHERE origin = '" + store.OriginDevice + "' AND hidden_at = 0 ORDER BY seq")
}

// The row of a message that a lost Mac had begun is seen by the one that follows it: it
// is evidence, and the owner has written nothing.
func TestRowOfALostMac(t *testing.T) {
	w := newWorld(t, hasty)
	id, fresh, _ := w.lost()
	text := w.message(id).Content
	fresh.report(typedAt("file", "", time.Second, "another.png"))
	for range 2 {
		fresh.report(typedAt("guid", text, time.Second))
	}
	if got := w.message(id); got.Status != wire.StatusSent || got.AppleGUID != "guid" || got.ErrorCode != "" {
		t.Errorf("%+v", got)
	}
	fresh.report(wire.Report{Kind: wire.Delivered, GUID: "guid"}) // it has no number for it
	if got := w.message(id).Status; got != wire.StatusDelivered {
		t.Errorf("it is %s", got)
	}
	// What comes in the same words after that is the owner's.
	fresh.report(typedAt("again", text, 0))
	if got := w.typedOnes(); !slices.Equal(got, []string{"", text}) {
		t.Errorf("typed are %q", got)
	}
}

// Messages changes what it is given: the row is the message's all the same. Where only its
// letters are left it has to be made while the message was sent, and no other have its words.
func TestAlteredRowOfALostMac(t *testing.T) {
	for name, tt := range map[string]struct {
		sent []string
		row  string
		ago  time.Duration
		want int // which one's it is, -1 for none
	}{
		"quotes and spaces": {[]string{`it's "so" `}, "it’s “so”", time.Second, 0},
		"quotes, later":     {[]string{`it's "so" `}, "it’s “so”", -5 * time.Minute, 0},
		"dashes and dots":   {[]string{"so -- it goes..."}, "so — it goes…", -time.Second, 0},
		"before it":         {[]string{"so -- it goes..."}, "so — it goes…", time.Minute, -1},
		"long after":        {[]string{"so -- it goes..."}, "so — it goes…", -11 * time.Minute, -1},
		"other words":       {[]string{"so -- it goes..."}, "so — it went…", -time.Second, -1},
		"signs alone":       {[]string{"!"}, "?", -time.Second, -1},
		"the closest":       {[]string{"Yes!", "Yes"}, "Yes", -time.Second, 1},
		"white space alone": {[]string{" "}, "\u00a0", -time.Second, -1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, hasty)
			old := w.connect(w.paired(w.line), hello("ins_a", 0))
			var ids []string
			for _, text := range tt.sent {
				m, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: somebody, Content: text})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, m.ID)
			}
			old.order() // of one person the next waits for the end of the first
			old.report(wire.Report{Kind: wire.Sending, Message: ids[0], Attempt: 1, At: time.Now().UnixMilli()})
			for _, id := range ids[1:] {
				old.report(wire.Report{Kind: wire.Unknown, Message: ids[0], Attempt: 1})
				old.order()
				old.report(wire.Report{Kind: wire.Sending, Message: id, Attempt: 1, At: time.Now().UnixMilli()})
			}
			fresh := w.connect(w.replace()(), hello("ins_b", 0))
			fresh.report(typedAt("guid", tt.row, tt.ago))
			for i, id := range ids {
				want := wire.StatusUnknown
				if i == tt.want {
					want = wire.StatusSent
				}
				if got := w.message(id); got.Status != want {
					t.Errorf("%q is %s, want %s", got.Content, got.Status, want)
				}
			}
			if typed := w.typedOnes(); len(typed) != max(-tt.want, 0) {
				t.Errorf("typed are %q", typed)
			}
		})
	}
}

// What the owner writes to the same person is no evidence: in other words, before there
// was the message, long after its Mac was lost, or while its Mac is there.
func TestRowsThatAreNoEvidence(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		ago  time.Duration
	}{"other words": {"something else", time.Second}, "before": {"", time.Hour}, "long after": {"", -time.Hour}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, hasty)
			id, fresh, _ := w.lost()
			text := tt.text
			if text == "" {
				text = w.message(id).Content
			}
			fresh.report(typedAt("guid", text, tt.ago))
			if got := w.message(id).Status; got != wire.StatusUnknown {
				t.Errorf("it is %s", got)
			}
			if got := w.typedOnes(); !slices.Equal(got, []string{text}) {
				t.Errorf("typed are %q", got)
			}
		})
	}
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	id := w.send(somebody)
	m.order()
	m.report(wire.Report{Kind: wire.Unknown, Message: id, Attempt: 1})
	m.report(typedAt("guid", w.message(id).Content, time.Second))
	if got := w.message(id).Status; got != wire.StatusUnknown {
		t.Errorf("its own Mac says that it is the owner's, and it is %s", got)
	}
}

// The Mac that was lost comes back and says whose the row is: what the other one has told
// as the owner's is taken back.
func TestRowToldAsTheOwners(t *testing.T) {
	w := newWorld(t, hasty)
	id, fresh, comesBack := w.lost()
	fresh.report(typedAt("guid", "in altered words", time.Second))
	comesBack(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "guid"})
	if got := w.message(id); got.Status != wire.StatusSent || got.AppleGUID != "guid" {
		t.Errorf("%+v", got)
	}
	if got := w.typedOnes(); len(got) > 0 {
		t.Errorf("typed are %q", got)
	}
}

// A message with a file has two rows. That of the file says nothing by itself, whether the
// message is known to be sent or not; another file is the owner's.
func TestFileOfALostMac(t *testing.T) {
	s := site(t, func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write(jpeg) })
	for name, sent := range map[string]bool{"sent": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, reaching(s, hasty))
			old := w.connect(w.paired(w.line), hello("ins_a", 0))
			id := w.sendFile(somebody, s.URL+"/cat.jpg")
			name := old.order().File.Name
			if sent {
				old.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "text"})
			}
			fresh := w.connect(w.replace()(), hello("ins_b", 0))
			before := w.message(id).Status
			fresh.report(typedAt("file", "", time.Second, name))
			if got := w.message(id).Status; got != before {
				t.Errorf("by its file it is %s", got)
			}
			fresh.report(typedAt("text", secretText, time.Second))
			fresh.report(typedAt("other", "", time.Second, "dog.jpg"))
			if got := w.message(id).Status; got != wire.StatusSent {
				t.Errorf("it is %s", got)
			}
			if got := w.typedOnes(); !slices.Equal(got, []string{""}) {
				t.Errorf("typed are %q", got)
			}
		})
	}
}

// A report about a message names all its rows. What the next Mac has told of them as
// the owner's before is taken back, and nothing is told of them after.
func TestRowsBesideAMessagesOwn(t *testing.T) {
	w := newWorld(t, hasty)
	id, fresh, comesBack := w.lost()
	flipped := wire.Report{Kind: wire.Received, GUID: "third", Inbound: &wire.Inbound{GUID: "third", From: somebody, Text: "as it seemed", Sent: time.Now().UnixMilli()}}
	failed := typedAt("failed", "in other words", time.Second)
	failed.Inbound.Status, failed.Fault = wire.StatusFailed, &wire.Fault{Code: "messages_error", Number: 22}
	for _, r := range []wire.Report{typedAt("file", "", time.Second, "cat.jpg"), failed, flipped} {
		fresh.report(r)
	}
	if got := w.typedOnes(); len(got) != 2 {
		t.Fatalf("typed are %q", got) // nobody knows better so far
	}
	comesBack(wire.Report{Kind: wire.Sent, Message: id, Attempt: 2, GUID: "text", Rows: []string{"file", "failed", "third", "fourth", "text"}})
	for _, r := range []wire.Report{typedAt("file", "", time.Second, "cat.jpg"), failed, flipped, typedAt("fourth", "", time.Second, "dog.jpg")} {
		fresh.report(r)
	}
	if got := w.typedOnes(); len(got) > 0 {
		t.Errorf("typed are %q", got)
	}
	if got := w.column("SELECT content FROM messages WHERE direction = 'inbound' AND hidden_at = 0"); len(got) > 0 {
		t.Errorf("%q came in", got)
	}
	if got := w.message(id); got.Status != wire.StatusSent || got.AppleGUID != "text" {
		t.Errorf("%+v", got)
	}
	// Who reacts to its file reacts to it.
	fresh.report(wire.Report{Kind: wire.Tapped, GUID: "tap", Tapback: &wire.Tapback{Target: "file", From: somebody, Kind: "love"}})
	if got := w.column("SELECT message_id FROM tapbacks"); !slices.Equal(got, []string{id}) {
		t.Errorf("the tapback is %q's, not %s's", got, id)
	}
	past := wire.Past{GUID: "file", Own: true, Handle: somebody, Status: wire.StatusSent, At: time.Now().UnixMilli()}
	if status, answer := w.history(w.replace()(), historyOf(t, past)); status != http.StatusOK || answer.New != 0 {
		t.Errorf("as history: %d %+v", status, answer)
	}
}

// A row of another message is no message's more.
func TestRowsOfOthers(t *testing.T) {
	w := newWorld(t, nil)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	first, second := w.send(somebody), w.send("+14155550188")
	m.order()
	m.order()
	m.report(wire.Report{Kind: wire.Sent, Message: first, Attempt: 1, GUID: "one"})
	m.report(wire.Report{Kind: wire.Sent, Message: second, Attempt: 1, GUID: "two", Rows: []string{"one", ""}})
	m.report(wire.Report{Kind: wire.Delivered, Message: first, Attempt: 1, GUID: "one"})
	if got := w.message(first); got.Status != wire.StatusDelivered || got.AppleGUID != "one" {
		t.Errorf("%+v", got)
	}
	if got := w.message(second); got.Status != wire.StatusSent || got.AppleGUID != "two" {
		t.Errorf("%+v", got)
	}
}

// A Mac that was replaced goes on to look for what it had begun, and sees the row of an
// equal message that the next one sends. That row is the later message's.
func TestRowOfAnEqualMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want wire.Status // of the first message, when the Mac that was replaced claims the row
	}{
		"the same words":   {secretText, wire.StatusUnknown},
		"with other signs": {secretText + "!", wire.StatusUnknown},
		"other words":      {"something else", wire.StatusSent},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, hasty)
			first, fresh, comesBack := w.lost()
			second, err := w.service.Send(t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: somebody, Content: tt.text})
			if err != nil {
				t.Fatal(err)
			}
			fresh.order()
			now := time.Now().UnixMilli()
			comesBack(wire.Report{Kind: wire.Sent, Message: first, Attempt: 1, GUID: "guid", At: now})
			if got := w.message(first).Status; got != tt.want {
				t.Errorf("the first is %s", got)
			}
			if tt.want != wire.StatusUnknown {
				return
			}
			fresh.report(wire.Report{Kind: wire.Sent, Message: second.ID, Attempt: 1, GUID: "guid", At: now})
			if got := w.message(second.ID); got.Status != wire.StatusSent || got.AppleGUID != "guid" {
				t.Errorf("the second: %+v", got)
			}
			// Its own row is known now: another one is the first's.
			comesBack(wire.Report{Kind: wire.Sent, Message: first, Attempt: 1, GUID: "another", At: now})
			if got := w.message(first); got.Status != wire.StatusSent || got.AppleGUID != "another" {
				t.Errorf("the first: %+v", got)
			}
		})
	}
}
