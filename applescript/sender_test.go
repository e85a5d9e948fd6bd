package applescript_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/applescript"
)

// The deadlines of the cases: one that is meant to cut a fake that has already
// spoken leaves it time to start on a busy machine.
const (
	soon  = 200 * time.Millisecond
	later = 5 * time.Second
)

func outcome(e applescript.Effect, r applescript.Reason, number int) applescript.Outcome {
	return applescript.Outcome{Effect: e, Reason: r, Number: number}
}

func after(s step, more []step) []step { return append([]step{s}, more...) }

// TestSendOutcomes goes through everything that osascript is known to do, by way
// of the real shim and its files.
func TestSendOutcomes(t *testing.T) {
	t.Parallel()
	const none, may = applescript.NoEffect, applescript.MayHave
	accepted := applescript.Outcome{Effect: applescript.Accepted}
	tests := []struct {
		name  string
		steps []step
		limit time.Duration
		want  applescript.Outcome
	}{
		{"success", []step{marker, ends(0)}, 0, accepted},
		{"success without a marker", []step{ends(0)}, 0, accepted},
		{"success with noise", []step{noise(200), marker, noise(200), ends(0)}, 0, accepted},
		{"success with a megabyte of noise", []step{noise(1 << 20), chatter(1 << 20), marker, noise(1 << 20), ends(0)}, 0, accepted},

		{"chat not in the live list", fault("Messages got an error: Can’t get chat id \"any;-;+14155550123\". (-1728)"), 0, outcome(none, applescript.NoTarget, -1728)},
		{"straight apostrophe", fault("Messages got an error: Can't get chat id \"x\". (-1728)"), 0, outcome(none, applescript.NoTarget, -1728)},
		{"business chat", fault("Messages got an error: Can’t get participant id \"UUID:urn:biz:1\". (-1728)"), 0, outcome(none, applescript.NoTarget, -1728)},
		{"French", fault("Messages a rencontré une erreur : Il est impossible d’obtenir chat id \"x\". (-1728)"), 0, outcome(none, applescript.NoTarget, -1728)},
		{"Japanese", fault("“メッセージ”でエラーが起きました: chat id \"x\"を取り出すことはできません。 (-1728)"), 0, outcome(none, applescript.NoTarget, -1728)},
		{"target lost after the marker", after(marker, fault("Can’t get chat id \"x\". (-1728)")), 0, outcome(may, applescript.NoTarget, -1728)},

		{"not authorized", fault("Not authorized to send Apple events to Messages. (-1743)"), 0, outcome(none, applescript.Denied, -1743)},
		{"not authorised", fault("Not authorised to send Apple events to Messages. (-1743)"), 0, outcome(none, applescript.Denied, -1743)},
		{"consent wanted", fault("(-1744)"), 0, outcome(none, applescript.Denied, -1744)},
		{"prompt dismissed", fault("User canceled. (-128)"), 0, outcome(none, applescript.Denied, -128)},
		{"privilege violation", fault("A privilege violation occurred. (-10004)"), 0, outcome(none, applescript.Denied, -10004)},

		{"timed out after the marker", after(marker, fault("Messages got an error: AppleEvent timed out. (-1712)")), 0, outcome(may, applescript.TimedOut, -1712)},
		{"timed out before the marker", fault("Messages got an error: AppleEvent timed out. (-1712)"), 0, outcome(none, applescript.TimedOut, -1712)},
		{"not running", fault("Messages got an error: Application isn’t running. (-600)"), 0, outcome(none, applescript.NotRunning, -600)},
		{"quit during the send", after(marker, fault("Messages got an error: Connection is invalid. (-609)")), 0, outcome(may, applescript.NotRunning, -609)},
		{"quit before the send", fault("Messages got an error: Connection is invalid. (-609)"), 0, outcome(none, applescript.NotRunning, -609)},
		{"handler failed before the marker", fault("Messages got an error: AppleEvent handler failed. (-10000)"), 0, outcome(none, applescript.OtherError, -10000)},
		{"cannot be launched", fault("An error of type -10810 has occurred. (-10810)"), 0, outcome(none, applescript.NotRunning, -10810)},
		{"handler failed", after(marker, fault("Messages got an error: AppleEvent handler failed. (-10000)")), 0, outcome(may, applescript.OtherError, -10000)},

		{"no iMessage account", fault("Messages got an error: Can’t get account 1 whose service type = iMessage. Invalid index. (-1719)"), 0, outcome(none, applescript.NoAccount, -1719)},
		{"SMS undefined", fault("The variable SMS is not defined. (-2753)"), 0, outcome(none, applescript.NoService, -2753)},
		{"any as a service", fault("Can’t make any into type constant. (-1700)"), 0, outcome(none, applescript.BadRequest, -1700)},
		{"file missing", fault("File /tmp/a.png wasn’t found. (-43)"), 0, outcome(none, applescript.NoFile, -43)},
		{"not a member", fault("Can not send message to a chat you are not a member of!"), 0, outcome(none, applescript.NotMember, 0)},
		{"not a member, numbered", fault("Can not send message to a chat you are not a member of! (1)"), 0, outcome(none, applescript.NotMember, 1)},
		{"custom error", fault("Messages got an error: something else. (7)"), 0, outcome(none, applescript.OtherError, 7)},
		{"no scripting component", []step{say("osascript: can't open default scripting component."), ends(1)}, 0, outcome(none, applescript.Environment, 0)},
		{"syntax error", []step{say("51:53: syntax error: Expected end of line but found property. (-2741)"), ends(1)}, 0, outcome(none, applescript.Environment, -2741)},
		{"silent failure", []step{ends(1)}, 0, outcome(none, applescript.Environment, 0)},

		{"error beneath noise", []step{noise(200), say("Can’t get chat id \"x\". (-1728)"), say("malloc: done"), ends(1)}, 0, outcome(none, applescript.NoTarget, -1728)},
		{"marker on a line with noise", []step{rawSay("malloc: nano zone abandoned "), marker, ends(1)}, 0, outcome(may, applescript.Environment, 0)},
		{"marker beneath a megabyte", []step{noise(1 << 20), marker, noise(1 << 20), say("AppleEvent timed out. (-1712)"), ends(1)}, 0, outcome(may, applescript.TimedOut, -1712)},
		{"marker without a line end", []step{rawSay(applescript.Dispatch), ends(1)}, 0, outcome(may, applescript.Environment, 0)},

		{"killed before the marker", []step{signalSelf(int(syscall.SIGKILL))}, 0, outcome(none, applescript.Interrupted, 0)},
		{"killed after the marker", []step{marker, signalSelf(int(syscall.SIGKILL))}, 0, outcome(may, applescript.Interrupted, 0)},
		{"ended by a signal after the marker", []step{marker, signalSelf(int(syscall.SIGTERM))}, 0, outcome(may, applescript.Interrupted, 0)},
		{"prompt pending", []step{hang}, soon, outcome(none, applescript.Prompt, 0)},
		{"hangs after the marker", []step{marker, hang}, later, outcome(may, applescript.TimedOut, 0)},
		{"ignores SIGTERM", []step{ignoreTerm, marker, hang}, later, outcome(may, applescript.TimedOut, 0)},
		{"leaves a child that holds the lock", []step{marker, breed, ends(0)}, 0, accepted},
		{"hangs with a child", []step{marker, breed, hang}, later, outcome(may, applescript.TimedOut, 0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.steps...)
			s.sender.Limit = tt.limit
			if got := s.send(text("hello")); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got := s.recover(); got != tt.want {
				t.Errorf("Recover gave %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestSendHandsArgumentsOverVerbatim holds the call against the contract.
func TestSendHandsArgumentsOverVerbatim(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"plain":              "hello",
		"leading hyphen":     "-e display dialog",
		"lone hyphen":        "-",
		"double hyphen":      "--",
		"quotes":             `"; do shell script "id" -- '` + "`$(x)` \\",
		"line breaks":        "a\nb\r\nc\td\n",
		"emoji":              "👩‍👩‍👧‍👦 ❤️ é e\u0301 ’“”\u2028\u2029\ufffc",
		"markup":             "<b>&amp;</b>\u0001\u001b[0m",
		"white space alone":  " ",
		"10,000 code points": strings.Repeat("😀", 10_000),
		"the marker":         applescript.Dispatch,
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, marker, ends(0))
			req := text(value)
			req.Service, req.Kind, req.Target = "any", applescript.Chat, "any;-;-+14155550123"
			if o := s.send(req); o.Effect != applescript.Accepted {
				t.Fatalf("got %+v", o)
			}
			calls := s.calls()
			if len(calls) != 1 {
				t.Fatalf("osascript was started %d times", len(calls))
			}
			want := []string{"-l", "AppleScript", "-", "send-text", "any", "chat", "any;-;-+14155550123", value}
			if !slices.Equal(calls[0].Args, want) {
				t.Errorf("arguments %q\nwant      %q", calls[0].Args, want)
			}
			if calls[0].Script != applescript.Script {
				t.Errorf("the script did not arrive complete: %d bytes of %d", len(calls[0].Script), len(applescript.Script))
			}
		})
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"on run argv", `log "` + applescript.Dispatch + `"`, "com.apple.MobileSMS", "end run"} {
		if !strings.Contains(applescript.Script, part) {
			t.Errorf("the script lacks %q", part)
		}
	}
	resolve, dispatch, send := strings.Index(applescript.Script, "id of theTarget"), strings.Index(applescript.Script, applescript.Dispatch), strings.Index(applescript.Script, "send theValue")
	if !(resolve < dispatch && dispatch < send) {
		t.Error("the marker must stand between the resolved target and the send")
	}
}

func TestSendFileArguments(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	req := applescript.Request{Verb: applescript.SendFile, Service: "SMS", Kind: applescript.Participant, Target: "a@example.com", Value: "/tmp/-é ☃.png"}
	if o := s.send(req); o.Effect != applescript.Accepted {
		t.Fatalf("got %+v", o)
	}
	want := []string{"-l", "AppleScript", "-", "send-file", "SMS", "participant", "a@example.com", "/tmp/-é ☃.png"}
	if got := s.calls()[0].Args; !slices.Equal(got, want) {
		t.Errorf("arguments %q, want %q", got, want)
	}
}

func TestShimArgumentsHideTheValue(t *testing.T) {
	t.Parallel()
	s := newStage(t, marker, ends(0))
	s.send(text("a secret"))
	parent := s.calls()[0].Parent
	if !strings.Contains(parent, applescript.ShimArg) {
		t.Fatalf("the process above osascript is %q, not the shim", parent)
	}
	for _, hidden := range []string{"secret", "4155550123"} {
		if strings.Contains(parent, hidden) {
			t.Errorf("the shim's arguments %q hold %q", parent, hidden)
		}
	}
}

// TestSendRefuses: what cannot arrive as it is never reaches a program.
func TestSendRefuses(t *testing.T) {
	t.Parallel()
	change := func(f func(*applescript.Request)) applescript.Request {
		req := text("hello")
		f(&req)
		return req
	}
	tests := map[string]struct {
		id      string
		attempt int
		req     applescript.Request
	}{
		"empty value":      {"msg_1", 1, text("")},
		"NUL":              {"msg_1", 1, text("a\x00b")},
		"not UTF-8":        {"msg_1", 1, text("a\xffb")},
		"too long":         {"msg_1", 1, text(strings.Repeat("x", applescript.MaxValue+1))},
		"NUL in target":    {"msg_1", 1, change(func(r *applescript.Request) { r.Target = "+1\x00" })},
		"no target":        {"msg_1", 1, change(func(r *applescript.Request) { r.Target = "" })},
		"no kind":          {"msg_1", 1, change(func(r *applescript.Request) { r.Kind = "" })},
		"unknown verb":     {"msg_1", 1, change(func(r *applescript.Request) { r.Verb = "delete" })},
		"relative file":    {"msg_1", 1, change(func(r *applescript.Request) { r.Verb = applescript.SendFile; r.Value = "a.png" })},
		"id with a path":   {"../msg_1", 1, text("hello")},
		"empty id":         {"", 1, text("hello")},
		"id with NUL":      {"msg\x00", 1, text("hello")},
		"id of 65":         {strings.Repeat("x", 65), 1, text("hello")},
		"attempt zero":     {"msg_1", 0, text("hello")},
		"negative attempt": {"msg_1", -1, text("hello")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, marker, ends(0))
			o, err := s.sender.Send(bounded(t), tt.id, tt.attempt, tt.req)
			if err != nil || o != outcome(applescript.NoEffect, applescript.BadRequest, 0) {
				t.Errorf("got %+v, %v", o, err)
			}
			if o.Again() {
				t.Error("another attempt cannot help")
			}
			s.started(0)
			if files := s.files(); len(files) > 0 {
				t.Errorf("it left %q behind", files)
			}
		})
	}
}

// TestSendValueTooLongForTheSystem: where the system's own bound is lower than
// ours, exec refuses and nothing was started.
func TestSendValueTooLongForTheSystem(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("one argument of more than 128 KiB is refused by Linux only")
	}
	s := newStage(t, marker, ends(0))
	if o := s.send(text(strings.Repeat("x", 200<<10))); o != outcome(applescript.NoEffect, applescript.BadRequest, 0) {
		t.Errorf("got %+v", o)
	}
	s.started(0)
}

func TestSendWithoutAProgram(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*applescript.Sender)
		reason applescript.Reason
	}{
		"missing osascript":        {func(s *applescript.Sender) { s.Osascript += ".gone" }, applescript.CannotStart},
		"osascript not executable": {func(s *applescript.Sender) { s.Osascript = plain }, applescript.CannotStart},
		"osascript is a folder":    {func(s *applescript.Sender) { s.Osascript = filepath.Dir(plain) }, applescript.CannotStart},
		"missing shim":             {func(s *applescript.Sender) { s.Exe += ".gone" }, applescript.CannotStart},
		"missing folder":           {func(s *applescript.Sender) { s.Dir += ".gone" }, applescript.DiskTrouble},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, marker, ends(0))
			tt.change(&s.sender)
			if o := s.send(text("hello")); o != outcome(applescript.NoEffect, tt.reason, 0) {
				t.Errorf("got %+v", o)
			}
			s.started(0)
		})
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	none := applescript.NoEffect
	accepted := applescript.Outcome{Effect: applescript.Accepted}
	tests := []struct {
		name  string
		steps []step
		limit time.Duration
		want  applescript.Outcome
	}{
		{"answers", []step{ends(0)}, 0, accepted},
		{"answers with noise", []step{noise(1 << 20), chatter(1 << 20), ends(0)}, 0, accepted},
		{"denied", fault("Not authorised to send Apple events to Messages. (-1743)"), 0, outcome(none, applescript.Denied, -1743)},
		{"denied beneath noise", after(noise(1<<20), fault("Not authorized to send Apple events to Messages. (-1743)")), 0, outcome(none, applescript.Denied, -1743)},
		{"not running", fault("Messages got an error: Application isn’t running. (-600)"), 0, outcome(none, applescript.NotRunning, -600)},
		{"timed out", fault("AppleEvent timed out. (-1712)"), 0, outcome(none, applescript.TimedOut, -1712)},
		{"no scripting component", []step{say("osascript: can't open default scripting component."), ends(1)}, 0, outcome(none, applescript.Environment, 0)},
		{"killed", []step{signalSelf(int(syscall.SIGKILL))}, 0, outcome(none, applescript.Interrupted, 0)},
		{"prompt pending", []step{hang}, soon, outcome(none, applescript.Prompt, 0)},
		{"never has an effect", []step{marker, ends(1)}, 0, outcome(none, applescript.Environment, 0)},
		{"leaves a child that holds stderr", []step{breed, ends(0)}, 0, accepted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, tt.steps...)
			ctx := bounded(t)
			if tt.limit > 0 {
				ctx = within(t, tt.limit)
			}
			if got := s.sender.Probe(ctx); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if files := s.files(); len(files) > 0 {
				t.Errorf("it left %q behind", files)
			}
			for _, c := range s.calls() {
				if !slices.Equal(c.Args, []string{"-l", "AppleScript", "-", "probe"}) || c.Script != applescript.Script {
					t.Errorf("arguments %q with %d bytes of script", c.Args, len(c.Script))
				}
			}
		})
	}
}

func TestProbeWithoutAProgram(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.sender.Osascript += ".gone"
	if o := s.sender.Probe(bounded(t)); o != outcome(applescript.NoEffect, applescript.CannotStart, 0) {
		t.Errorf("got %+v", o)
	}
}
