package relay

import (
	"errors"
	"testing"
	"time"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/wire"
)

// osascriptCase is the relay's half of a case of osascript and Messages, by the number
// under which package applescript has the other half: what the row says, and what is
// made of an end without one.
type osascriptCase struct {
	number int
	name   string
	test   func(*testing.T, *story)
}

// decidedByOsascript are the cases in which no row has a say, and osascript's own end
// is all there is; what the queue does then is in the tests of the sender.
var decidedByOsascript = map[int]string{
	6:  "as 5: a guid is never made up",
	20: "permanent, by its reason",
	21: "permanent, by its reason",
	22: "permanent, by its reason",
	24: "as 5: the number decides",
	25: "pauses, as 26",
	26: "pauses the queue, by its reason",
	31: "noise that osascript's listener passes by",
	39: "noise that osascript's listener passes by",
	40: "as 16",
	41: "an argument, or refused before anything starts",
}

var (
	taken = applescript.Outcome{Effect: applescript.Accepted}
	mayBe = applescript.Outcome{Effect: applescript.MayHave, Reason: applescript.TimedOut, Number: -1712}
)

func noEffect(r applescript.Reason, number int) applescript.Outcome {
	return applescript.Outcome{Effect: applescript.NoEffect, Reason: r, Number: number}
}

// ended is how osascript ended for a send, seen by its sender.
func (s *story) ended(message string, o applescript.Outcome, byChat bool) *sender {
	s.t.Helper()
	one := sendIn(s.t, s.j, message)
	sender := &sender{Relay: s.o.Relay, script: applescript.Sender{Dir: s.t.TempDir()}, tidied: time.Now()}
	if err := sender.conclude(&one, o, byChat); err != nil {
		s.t.Fatal(err)
	}
	return sender
}

// settles ends all windows.
func (s *story) settles() {
	s.t.Helper()
	if _, err := s.j.settle(s.t.Context(), time.Now().Add(time.Hour-time.Minute)); err != nil {
		s.t.Fatal(err)
	}
}

// pictured arms a send of a picture to alice and gives its row.
func (s *story) pictured(message, guid string) {
	s.t.Helper()
	give(s.t, s.j, withFile(message, ""))
	stageFor(s.t, s.j, message)
	mark, err := s.o.db.Mark(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	one := partOf(s.t, s.j, message, partFile)
	if err := s.j.arm(s.t.Context(), &one, mark, participant, time.Now()); err != nil {
		s.t.Fatal(err)
	}
	clearOutbox(s.t, s.j)
	s.own(guid, "\ufffc", nil)
	s.file(guid, "at_0_"+guid, "~/Library/Messages/Attachments/bluerelay/x/cat.png", 3)
}

// nobody reports a send that provably did nothing, and whether another attempt may help.
func (s *story) nobody(again bool) wire.Report {
	s.t.Helper()
	r := s.last()
	if r.Kind != wire.NoSend || r.Again != again || r.Fault == nil || r.Fault.Text == "" {
		s.t.Errorf("%+v %+v", r, r.Fault)
	}
	return r
}

func rowCases() []osascriptCase {
	return []osascriptCase{
		{1, "normal iMessage", func(_ *testing.T, s *story) {
			s.own("G", "hello", nil)
			s.ended("msg_1", taken, true)
			s.wants() // a row is not yet a success, and osascript's is none
			s.set("G", "is_sent = 1")
			s.wants("sent msg_1")
			s.set("G", "is_delivered = 1, date_delivered = ?", apple(time.Now()))
			s.wants("delivered msg_1")
		}},
		{2, "normal SMS", func(_ *testing.T, s *story) {
			s.ended("msg_1", taken, true)
			s.own("G", "hello", columns{"service": "SMS", "is_sent": 1})
			s.wants("sent msg_1")
			s.set("G", "is_delivered = 1")
			s.wants()
		}},
		{3, "unregistered number", func(t *testing.T, s *story) {
			s.ended("msg_1", taken, true)
			s.own("G", "hello", nil)
			s.wants()
			s.set("G", "error = 22")
			if r := s.last(); r.Kind != wire.Failed || r.Fault.Number != 22 {
				t.Errorf("%+v", r)
			}
		}},
		{4, "missing plus", func(_ *testing.T, s *story) {
			// Numbers come in E.164: this row is of nobody that the API wrote to.
			s.ended("msg_1", taken, true)
			s.row("G", columns{"text": "hello", "is_from_me": 1, "error": 22, "handle": "14155550101"})
			s.join("G", "any;-;14155550101")
			s.settles()
			s.wants("unknown msg_1")
		}},
		{5, "chat not live", func(_ *testing.T, s *story) {
			s.ended("msg_1", noEffect(applescript.NoTarget, -1728), true)
			s.nobody(true) // the next attempt names the person
		}},
		{7, "self-chat by e-mail", func(_ *testing.T, s *story) {
			s.ended("msg_1", noEffect(applescript.NoTarget, -1728), false)
			s.nobody(false) // the person was named already
		}},
		{8, "group ghost", func(t *testing.T, s *story) {
			s.toGroup("msg_g", "any;+;chat1344", "hello all")
			s.ended("msg_g", taken, true)
			s.row("G", columns{"is_from_me": 1, "service": "SMS", "handle": "chat1344"})
			s.impatient()
			if r := s.last(); r.Kind != wire.Failed || r.Message != "msg_g" || r.Fault.Code != faultGhost {
				t.Errorf("%+v", r)
			}
		}},
		{9, "silent no-op", func(_ *testing.T, s *story) {
			s.ended("msg_1", taken, true)
			s.settles()
			s.wants("unknown msg_1")
			s.settles()
			s.wants()
		}},
		{10, "late row", func(_ *testing.T, s *story) {
			s.ended("msg_1", taken, true)
			s.settles()
			s.own("G", "hello", columns{"is_sent": 1, "date": apple(time.Now().Add(12 * time.Second))})
			s.wants("unknown msg_1", "sent msg_1")
		}},
		{11, "late join", func(_ *testing.T, s *story) {
			s.ended("msg_1", taken, true)
			s.row("G", columns{"is_from_me": 1, "text": "hello", "is_sent": 1})
			s.wants("sent msg_1") // by its handle
			s.join("G", direct)
			s.wants()
		}},
		{12, "second bubble by a human", func(_ *testing.T, s *story) {
			s.own("BEFORE", "hello", columns{"is_sent": 1, "date": apple(time.Now().Add(-time.Minute))})
			s.wants() // while its own may come, nobody else's is told
			s.elsewhere("BOB", "hello", time.Now())
			s.own("G", "hello", columns{"is_sent": 1})
			s.ended("msg_1", taken, true)
			s.wants("sent msg_1")
			s.impatient()
			s.wants("typed BEFORE hello", "typed BOB hello")
		}},
		{13, "wrong chat", func(t *testing.T, s *story) {
			s.ended("msg_1", taken, true)
			s.elsewhere("BOB", "hello", time.Now())
			s.wants()
			s.impatient()
			s.wants("typed BOB hello", "alarm msg_1")
			s.settles()
			s.wants("unknown msg_1")
		}},
		{14, "Automation denied", func(t *testing.T, s *story) {
			sender := s.ended("msg_1", noEffect(applescript.Denied, -1743), true)
			s.nobody(true)
			if h := s.o.health.now(); sender.resume.IsZero() || h.Code != wire.ProblemAutomation {
				t.Errorf("the queue goes on: %+v", h)
			}
		}},
		{15, "prompt pending", func(t *testing.T, s *story) {
			sender := s.ended("msg_1", noEffect(applescript.Prompt, 0), true)
			s.nobody(true)
			if h := s.o.health.now(); sender.resume.IsZero() || h.Code != wire.ProblemAutomation || h.Reason != noEffect(applescript.Prompt, 0).Sentence() {
				t.Errorf("%+v", h)
			}
		}},
		{16, "hang after the marker, no row", func(_ *testing.T, s *story) {
			s.ended("msg_1", applescript.Outcome{Effect: applescript.MayHave, Reason: applescript.TimedOut}, true)
			s.settles()
			s.wants("unknown msg_1")
		}},
		{16, "hang after the marker, a row", func(_ *testing.T, s *story) {
			s.own("G", "hello", columns{"is_sent": 1})
			s.wants("sent msg_1")
			s.ended("msg_1", applescript.Outcome{Effect: applescript.MayHave, Reason: applescript.TimedOut}, true)
			s.settles()
			s.wants()
		}},
		{17, "event timeout", func(_ *testing.T, s *story) {
			s.ended("msg_1", mayBe, true)
			s.settles()
			s.wants("unknown msg_1")
			s.own("G", "hello", columns{"is_sent": 1})
			s.wants("sent msg_1")
		}},
		{18, "not running", func(t *testing.T, s *story) {
			sender := s.ended("msg_1", noEffect(applescript.NotRunning, -600), true)
			s.nobody(true)
			if h := s.o.health.now(); !sender.down || h.Code != wire.ProblemMessages {
				t.Errorf("%+v", h)
			}
		}},
		{19, "quits in the middle", func(_ *testing.T, s *story) {
			s.ended("msg_1", applescript.Outcome{Effect: applescript.MayHave, Reason: applescript.NotRunning, Number: -609}, true)
			s.own("G", "hello", columns{"is_sent": 1})
			s.wants("sent msg_1")
		}},
		{23, "business chat", func(_ *testing.T, s *story) {
			s.ended("msg_1", noEffect(applescript.NoTarget, -1728), false)
			s.nobody(false)
		}},
		{27, "not a member", func(_ *testing.T, s *story) {
			s.ended("msg_1", noEffect(applescript.NotMember, 0), true)
			s.nobody(false)
		}},
		{28, "attachment unreadable", func(t *testing.T, s *story) {
			s.pictured("msg_p", "G")
			s.wants()
			s.set("G", "error = 25")
			if r := s.last(); r.Kind != wire.Failed || r.Message != "msg_p" || r.Fault.Number != 25 {
				t.Errorf("%+v", r)
			}
		}},
		{29, "attachment stuck", func(t *testing.T, s *story) {
			s.pictured("msg_p", "G")
			s.wants()
			s.o.lookForStuck(time.Now())
			if !s.o.health.now().Ready {
				t.Errorf("%+v", s.o.health.now())
			}
			later := time.Now().Add(21 * time.Minute)
			s.o.lookForStuck(later)
			if h := s.o.health.now(); h.Code != wire.ProblemStuck || !s.o.heldUp(later) {
				t.Errorf("%+v", h)
			}
			s.set("G", "is_sent = 1")
			s.wants("sent msg_p")
			if h := s.o.health.now(); !h.Ready || s.o.heldUp(later) {
				t.Errorf("%+v", h)
			}
		}},
		{30, "staged file missing", func(_ *testing.T, s *story) {
			s.ended("msg_1", noEffect(applescript.NoFile, -43), true)
			s.nobody(false)
		}},
		{32, "text with a link", func(_ *testing.T, s *story) {
			s.sends("msg_l", "see https://example.com/z")
			s.own("L1", "see https://example.com/z", columns{"is_sent": 1})
			s.own("L2", "https://example.com/z", columns{"is_sent": 1, "balloon_bundle_id": "com.apple.messages.URLBalloonProvider"})
			s.ended("msg_l", taken, true)
			s.wants("sent msg_l")
		}},
		{33, "emoji and quotes", func(_ *testing.T, s *story) {
			s.sends("msg_e", `it's "so" 👩‍👧 ❤️`)
			s.own("G", "it’s “so” 👩👧 ❤", columns{"is_sent": 1})
			s.wants("sent msg_e")
		}},
		{34, "downgraded", func(t *testing.T, s *story) {
			s.own("G", "hello", nil)
			s.wants()
			s.set("G", "service = 'SMS', was_downgraded = 1, is_sent = 1")
			if r := s.last(); r.Kind != wire.Sent || r.Service != wire.ServiceSMS || !r.Downgraded {
				t.Errorf("%+v", r)
			}
		}},
		{35, "network down", func(t *testing.T, s *story) {
			for _, number := range []int{3, 9} {
				message := "msg_" + string(rune('0'+number))
				s.sends(message, message)
				s.own("G"+message, message, columns{"error": number})
				if r := s.last(); r.Kind != wire.Failed || r.Fault.Number != number {
					t.Errorf("%+v", r)
				}
			}
			if !s.o.health.now().Ready {
				t.Errorf("%+v", s.o.health.now())
			}
		}},
		{36, "account signed out", func(t *testing.T, s *story) {
			s.own("G", "hello", columns{"error": 31})
			s.wants("failed msg_1")
			if h := s.o.health.now(); h.Code != wire.ProblemAccount || !s.o.heldUp(time.Now()) {
				t.Errorf("%+v", h)
			}
		}},
		{37, "chat.db denied", func(t *testing.T, s *story) {
			// Without it nothing is armed: what cannot be verified is not sent.
			give(s.t, s.j, order("msg_2", 1, bob, "hello"))
			sender := &sender{Relay: s.o.Relay, script: applescript.Sender{Dir: t.TempDir()}, tidied: time.Now()}
			one := sendIn(t, s.j, "msg_2")
			if err := sender.send(t.Context(), &one); !errors.Is(err, errNoChatDB) {
				t.Errorf("got %v", err)
			}
			wantState(t, s.j, "msg_2", stateReceived)
			sentence := chatDBSentence(&chatdb.Error{Kind: chatdb.ErrPermission, Hint: "Turn on Full Disk Access."})
			if sentence != "Turn on Full Disk Access." {
				t.Errorf("%q", sentence)
			}
		}},
		{38, "chat.db's log rotated", func(_ *testing.T, s *story) {
			s.exec("PRAGMA wal_checkpoint(TRUNCATE)")
			s.own("G", "hello", columns{"is_sent": 1})
			s.exec("PRAGMA wal_checkpoint(TRUNCATE)")
			s.wants("sent msg_1")
		}},
	}
}

// TestOsascriptCases goes through them with a real chat.db and journal. Each begins
// with a text to alice that is armed.
func TestOsascriptCases(t *testing.T) {
	seen := make(map[int]bool)
	for n := range decidedByOsascript {
		seen[n] = true
	}
	for _, c := range rowCases() {
		seen[c.number] = true
		t.Run(c.name, func(t *testing.T) {
			s := newStory(t)
			s.sends("msg_1", "hello")
			c.test(t, s)
		})
	}
	for n := 1; n <= 41; n++ {
		if !seen[n] {
			t.Errorf("case %d is missing", n)
		}
	}
}
