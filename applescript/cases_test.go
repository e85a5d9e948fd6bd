package applescript_test

import (
	"cmp"
	"strconv"
	"strings"
	"testing"
	"time"

	"bluerelay/applescript"
)

// aCase is osascript's half of one case that users of other programs reported: what it
// does, and what that proves. The other half, the row, is with package relay, which
// goes through the same numbers.
type aCase struct {
	number  int
	name    string
	steps   []step
	limit   time.Duration
	value   string // of the request; "hello" where empty
	service string // iMessage where empty
	want    applescript.Outcome
	refused bool // before anything is started
}

// osascriptCases are the 41 cases that osascript and Messages are known to make, by
// number; the letters of a case are told apart by their names.
func osascriptCases() []aCase {
	const none, may = applescript.NoEffect, applescript.MayHave
	accepted := applescript.Outcome{Effect: applescript.Accepted}
	says := func(number int, name, text string, want applescript.Outcome) aCase {
		return aCase{number: number, name: name, steps: fault(text), want: want}
	}
	takes := func(number int, name string) aCase {
		return aCase{number: number, name: name, steps: []step{marker, ends(0)}, want: accepted}
	}
	noTarget := outcome(none, applescript.NoTarget, -1728)
	denied := outcome(none, applescript.Denied, -1743)
	return []aCase{
		takes(1, "normal iMessage"),
		takes(2, "normal SMS"),
		takes(3, "unregistered number"),
		takes(4, "missing plus"),
		says(5, "chat not live", "Messages got an error: Can’t get chat id \"any;-;+14155550123\". (-1728)", noTarget),
		says(6, "synthetic guid", "Messages got an error: Can’t get chat id \"iMessage;-;+14155550123\". (-1728)", noTarget),
		says(7, "self-chat by e-mail", "Messages got an error: Can’t get chat id \"any;-;me@example.com\". (-1728)", noTarget),
		takes(8, "group ghost"),
		takes(9, "silent no-op"),
		takes(10, "late row"),
		takes(11, "late join"),
		takes(12, "second bubble by a human"),
		takes(13, "wrong chat"),
		says(14, "Automation denied", "Not authorized to send Apple events to Messages. (-1743)", denied),
		says(14, "Automation denied, British", "Not authorised to send Apple events to Messages. (-1743)", denied),
		{number: 15, name: "prompt pending", steps: []step{hang}, limit: later, want: outcome(none, applescript.Prompt, 0)},
		{number: 16, name: "hang after the marker", steps: []step{marker, hang}, limit: later, want: outcome(may, applescript.TimedOut, 0)},
		{number: 17, name: "event timeout", steps: after(marker, fault("Messages got an error: AppleEvent timed out. (-1712)")), want: outcome(may, applescript.TimedOut, -1712)},
		says(18, "not running", "Messages got an error: Application isn’t running. (-600)", outcome(none, applescript.NotRunning, -600)),
		{number: 19, name: "quits in the middle", steps: after(marker, fault("Messages got an error: Connection is invalid. (-609)")), want: outcome(may, applescript.NotRunning, -609)},
		{number: 20, name: "no SMS account", service: "SMS", steps: fault("Messages got an error: Can’t get account 1 whose service type = SMS. Invalid index. (-1719)"), want: outcome(none, applescript.NoService, -1719)},
		says(20, "no iMessage account", "Messages got an error: Can’t get account 1 whose service type = iMessage. Invalid index. (-1719)", outcome(none, applescript.NoAccount, -1719)),
		says(21, "SMS undefined", "The variable SMS is not defined. (-2753)", outcome(none, applescript.NoService, -2753)),
		says(22, "any as a service", "Can’t make any into type constant. (-1700)", outcome(none, applescript.BadRequest, -1700)),
		says(23, "business chat", "Messages got an error: Can’t get participant id \"UUID:urn:biz:1\". (-1728)", noTarget),
		says(24, "French", "Messages a rencontré une erreur : Il est impossible d’obtenir chat id \"x\". (-1728)", noTarget),
		says(24, "Japanese", "“メッセージ”でエラーが起きました: chat id \"x\"を取り出すことはできません。 (-1728)", noTarget),
		{number: 25, name: "no scripting component", steps: []step{say("osascript: can't open default scripting component."), ends(1)}, want: outcome(none, applescript.Environment, 0)},
		{number: 26, name: "dictionary missing", steps: []step{say("51:53: syntax error: Expected end of line but found property. (-2741)"), ends(1)}, want: outcome(none, applescript.Environment, -2741)},
		says(27, "not a member", "Can not send message to a chat you are not a member of!", outcome(none, applescript.NotMember, 0)),
		takes(28, "attachment unreadable"),
		takes(29, "attachment stuck"),
		says(30, "staged file missing", "File /tmp/a.png wasn’t found. (-43)", outcome(none, applescript.NoFile, -43)),
		{number: 31, name: "noise with success", steps: []step{noise(4000), marker, say("CFNetwork: noise (-1728)"), ends(0)}, want: accepted},
		takes(32, "text with a link"),
		takes(33, "emoji and quotes"),
		takes(34, "downgraded"),
		takes(35, "network down"),
		takes(36, "account signed out"),
		// 37 and 38 are about reading chat.db alone: osascript does not come into them.
		{number: 39, name: "a megabyte of noise, success", steps: []step{noise(1 << 20), chatter(1 << 20), marker, ends(0)}, want: accepted},
		{number: 39, name: "a megabyte of noise, failure", steps: append([]step{marker, noise(1 << 20), chatter(1 << 20)}, fault("AppleEvent timed out. (-1712)")...), want: outcome(may, applescript.TimedOut, -1712)},
		{number: 40, name: "ignores SIGTERM", steps: []step{ignoreTerm, marker, breed, hang}, limit: later, want: outcome(may, applescript.TimedOut, 0)},
		{number: 41, name: "begins with a hyphen", steps: []step{marker, ends(0)}, value: "-e beep", want: accepted},
		{number: 41, name: "10,000 characters", steps: []step{marker, ends(0)}, value: strings.Repeat("é", 10_000), want: accepted},
		{number: 41, name: "empty", value: "\x00", want: outcome(none, applescript.BadRequest, 0), refused: true},
		{number: 41, name: "NUL", value: "a\x00b", want: outcome(none, applescript.BadRequest, 0), refused: true},
	}
}

// TestOsascriptCases goes through all of them with a real shim and a real child. What
// is told at once, and what another daemon learns from the files, is the same.
func TestOsascriptCases(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{37: true, 38: true}
	for _, c := range osascriptCases() {
		seen[c.number] = true
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, c.steps...)
			s.sender.Limit = c.limit
			req := text("hello")
			req.Service = cmp.Or(c.service, req.Service)
			switch {
			case c.name == "empty":
				req.Value = ""
			case c.value != "":
				req.Value = c.value
			}
			if got := s.send(req); got != c.want {
				t.Errorf("case %d: got %+v, want %+v", c.number, got, c.want)
			}
			if c.refused {
				s.started(0)
				return
			}
			s.started(1)
			if got := s.recover(); got != c.want {
				t.Errorf("case %d: Recover gave %+v, want %+v", c.number, got, c.want)
			}
			calls := s.calls()
			if len(calls) != 1 {
				t.Fatalf("case %d: osascript has noted %d calls", c.number, len(calls))
			}
			if got := calls[0].Args[7]; got != req.Value {
				t.Errorf("case %d: %d bytes arrived of %d", c.number, len(got), len(req.Value))
			}
		})
	}
	for n := 1; n <= 41; n++ {
		if !seen[n] {
			t.Errorf("case %d is missing", n)
		}
	}
}

// TestNumbers holds every number that Messages' errors are known by against its class,
// before the marker and after it.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for number, want := range map[int]applescript.Reason{
		-1728: applescript.NoTarget, -1719: applescript.NoService, -2753: applescript.NoService,
		-1700: applescript.BadRequest, -1708: applescript.BadRequest,
		-2741: applescript.Environment, -2740: applescript.Environment,
		-1743: applescript.Denied, -1744: applescript.Denied, -10004: applescript.Denied, -128: applescript.Denied,
		-1712: applescript.TimedOut,
		-600:  applescript.NotRunning, -609: applescript.NotRunning, -10810: applescript.NotRunning, -10826: applescript.NotRunning,
		-10000: applescript.OtherError, -2700: applescript.OtherError, 1: applescript.OtherError,
		-43: applescript.NoFile,
	} {
		for effect, before := range map[applescript.Effect]string{applescript.NoEffect: "", applescript.MayHave: applescript.Dispatch + "\n"} {
			o, err := applescript.Judge(1, false, strings.NewReader(before+"1104:1188: execution error: something ("+strconv.Itoa(number)+")\n"))
			if err != nil || o != outcome(effect, want, number) {
				t.Errorf("%d, %s: got %+v, %v", number, effect, o, err)
			}
		}
	}
}
