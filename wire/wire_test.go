package wire_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"bluerelay/wire"
)

func TestFramesSurviveTheWay(t *testing.T) {
	frames := []wire.Frame{
		{Type: wire.TypeHello, Hello: &wire.Hello{Protocol: 1, Install: "i", JournalHigh: 7, Health: wire.Health{Code: wire.ProblemChatDB, Reason: "r"}}},
		{Type: wire.TypeWelcome, Welcome: &wire.Welcome{Acked: 3, Line: "+14155559876"}},
		{Type: wire.TypeSend, Send: &wire.Send{Message: "msg_1", Attempt: 2, Seq: 9, To: "+14155551234", Text: "a\x00\u2028<é>😀", Service: "iMessage", File: &wire.File{ID: "med_1", Name: "a.jpg", MIME: "image/jpeg", Size: 9, SHA256: "00"}, ExpiresIn: 5}},
		{Type: wire.TypeCancel, Cancel: &wire.Cancel{Message: "msg_1", Attempt: 1}},
		{Type: wire.TypeRelease},
		{Type: wire.TypeReport, Report: &wire.Report{Seq: 1, Kind: wire.NoSend, Message: "msg_1", Attempt: 1, Again: true, Fault: &wire.Fault{Code: "c", Number: -1743, Text: "t"}}},
		{Type: wire.TypeReport, Report: &wire.Report{Seq: 2, Kind: wire.Received, Inbound: &wire.Inbound{GUID: "g", From: "+1", Text: "x"}}},
		{Type: wire.TypeAck, Ack: &wire.Ack{Seq: 4}},
		{Type: wire.TypeHealth, Health: &wire.Health{Ready: true}},
		{Type: wire.TypeDrain, Drain: &wire.Drain{DelayMS: 5}},
	}
	for _, f := range frames {
		data, err := wire.Encode(f)
		if err != nil {
			t.Fatalf("%s: %v", f.Type, err)
		}
		back, err := wire.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", f.Type, err)
		}
		again, _ := wire.Encode(back)
		if string(again) != string(data) {
			t.Errorf("%s changed on the way:\n%s\n%s", f.Type, data, again)
		}
	}
}

func TestDecodeRefusesHalfFrames(t *testing.T) {
	for _, s := range []string{
		``, `[]`, `{}`, `{"t":""}`, `{"t":"hello"}`, `{"t":"hello","hello":{}}`, `{"t":"send","send":{"message":"m"}}`,
		`{"t":"report","report":{"seq":0,"kind":"sent","message":"m"}}`, `{"t":"report","report":{"seq":1,"kind":"sent"}}`,
		`{"t":"report","report":{"seq":1,"kind":"received"}}`, `{"t":"ack"}`, `{"t":"ack","ack":{"seq":"1"}}`,
		`{"t":"health"}`, `{"t":"welcome"}`, `{"t":"cancel"}`, `{"t":"cancel","cancel":{"message":"m"}}`, `{"t":"drain"}`, strings.Repeat(" ", wire.MaxFrame+1),
	} {
		if _, err := wire.Decode([]byte(s)); err == nil {
			t.Errorf("Decode(%.40q) succeeded", s)
		}
	}
}

func TestDecodeIgnoresWhatItDoesNotKnow(t *testing.T) {
	f, err := wire.Decode([]byte(`{"t":"ack","ack":{"seq":1,"new":true},"newer":{}}`))
	if err != nil || f.Ack.Seq != 1 {
		t.Fatalf("%+v, %v", f, err)
	}
	if f, err := wire.Decode([]byte(`{"t":"from_the_future"}`)); err != nil || f.Type != "from_the_future" {
		t.Fatalf("%+v, %v", f, err)
	}
}

// A text of the longest legal kind, escaped in the worst way, fits a frame.
func TestLongestTextFits(t *testing.T) {
	text := strings.Repeat("\u2028", 20_000)
	if _, err := wire.Encode(wire.Frame{Type: wire.TypeSend, Send: &wire.Send{Message: "m", Attempt: 1, Text: text}}); err != nil {
		t.Fatal(err)
	}
	if _, err := wire.Encode(wire.Frame{Type: wire.TypeSend, Send: &wire.Send{Text: strings.Repeat("x", wire.MaxFrame)}}); err == nil {
		t.Fatal("an oversized frame was encoded")
	}
}

func TestTransitions(t *testing.T) {
	no := []struct{ old, new wire.Status }{
		{wire.StatusDelivered, wire.StatusSent}, {wire.StatusRead, wire.StatusDelivered},
		{wire.StatusDelivered, wire.StatusFailed}, {wire.StatusSent, wire.StatusUnknown},
		{wire.StatusSent, wire.Queued}, {wire.StatusUnknown, wire.Queued}, {wire.StatusFailed, wire.Queued},
		{wire.StatusSending, wire.Canceled}, {wire.StatusReceived, wire.StatusSent}, {wire.Canceled, wire.StatusAccepted}, {wire.StatusSending, wire.Expired},
	}
	for _, c := range no {
		if c.new.Follows(c.old) {
			t.Errorf("%s may follow %s", c.new, c.old)
		}
	}
	yes := []struct{ old, new wire.Status }{
		{wire.Queued, wire.StatusAccepted}, {wire.StatusSending, wire.Queued}, {wire.StatusUnknown, wire.StatusSent},
		{wire.StatusFailed, wire.StatusSent}, {wire.StatusSent, wire.StatusFailed}, {wire.StatusUnknown, wire.StatusRead},
	}
	for _, c := range yes {
		if !c.new.Follows(c.old) || !slices.Contains(c.new.From(), c.old) {
			t.Errorf("%s may not follow %s", c.new, c.old)
		}
	}
	for _, k := range []wire.Kind{wire.Accepted, wire.Sending, wire.Unknown, wire.Sent, wire.Delivered, wire.Read, wire.Failed, wire.NoSend} {
		if len(k.Status().From()) == 0 {
			t.Errorf("a report of %s leads to a state that nothing may become", k)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"t":"send","send":{"message":"msg_1","attempt":1,"to":"+1","text":"x"}}`))
	f.Add([]byte(`{"t":"report","report":{"seq":1,"kind":"received","inbound":{"guid":"g","from":"+1","text":"\ud800"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, err := wire.Decode(data)
		if err != nil {
			return
		}
		out, err := wire.Encode(frame)
		if err != nil {
			return // grew past the limit by escaping
		}
		back, err := wire.Decode(out)
		if err != nil {
			t.Fatalf("%s\nbecame\n%s\n%v", data, out, err)
		}
		again, _ := json.Marshal(back)
		if string(again) != string(out) {
			t.Fatalf("not stable:\n%s\n%s", out, again)
		}
	})
}
