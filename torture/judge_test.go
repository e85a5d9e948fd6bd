package main

import (
	"slices"
	"testing"
	"time"
)

const (
	lineA = "+14155559870"
	someA = "+14155551000"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// peace is evidence of a round in which all is well: a message out, one in, one that
// nobody knows about because its osascript was killed, one that was canceled.
func peace() evidence {
	claims := []claim{
		{ID: "msg_a", From: lineA, To: someA, Content: "one", Status: "delivered", Direction: "outbound"},
		{ID: "msg_b", From: lineA, To: someA, Content: "two", Status: "polling", ErrorCode: outcomeUnknown, Direction: "outbound"},
		{ID: "msg_c", From: lineA, To: someA, Content: "three", Status: "failed", ErrorCode: "canceled", Direction: "outbound"},
		{ID: "msg_d", From: lineA, To: someA, Content: "four", Status: "sent", Direction: "outbound"},
		{ID: "msg_i", From: someA, To: lineA, Content: "in", Status: "received", Direction: "inbound"},
	}
	e := evidence{
		claims:  claims,
		effects: []effect{{lineA, someA, hashOf("one")}, {lineA, someA, hashOf("four")}},
		runs: map[string][]scriptRun{lineA: {
			{PID: 1, Event: runBegins, To: someA, Value: hashOf("one")}, {PID: 1, Event: runDispatch, To: someA, Value: hashOf("one")}, {PID: 1, Event: runEnds, To: someA, Value: hashOf("one")},
			{PID: 2, Event: runBegins, To: someA, Value: hashOf("two")}, {PID: 2, Event: runDispatch, To: someA, Value: hashOf("two")},
		}},
		received: []received{{line: lineA, text: "in", sure: true, at: noon}},
		typed:    map[string]int{},
		told: map[string]map[string]int{
			"message.received": {"msg_i": 1}, "message.sent": {"msg_a": 1, "msg_d": 1}, "message.delivered": {"msg_a": 1}, "message.failed": {"msg_c": 1},
		},
		unknowns: map[string]time.Time{"msg_b": noon},
	}
	for _, c := range claims[:4] {
		e.sent = append(e.sent, sent{id: c.ID, line: c.From, to: c.To, hash: hashOf(c.Content), unique: true, at: noon})
	}
	return e
}

func TestJudgeAcquits(t *testing.T) {
	if found := judge(peace()); len(found) > 0 {
		t.Error(found)
	}
}

// Whatever breaks a promise is seen, and by its own name.
func TestJudgeSees(t *testing.T) {
	effectOf := func(text string) effect { return effect{lineA, someA, hashOf(text)} }
	for name, c := range map[string]struct {
		rule   string
		change func(e *evidence)
	}{
		"sent twice":            {"doubled", func(e *evidence) { e.effects = append(e.effects, effectOf("one")) }},
		"said to be sent":       {"false", func(e *evidence) { e.effects = e.effects[1:] }},
		"canceled and yet sent": {"false", func(e *evidence) { e.effects = append(e.effects, effectOf("three")) }},
		"nobody asked for it":   {"doubled", func(e *evidence) { e.effects = append(e.effects, effectOf("what?")) }},
		"accepted and gone":     {"lost", func(e *evidence) { e.claims = slices.Delete(e.claims, 3, 4); e.effects = e.effects[:1] }},
		"one key, two messages": {"doubled", func(e *evidence) { again := e.claims[0]; again.ID = "msg_z"; e.claims = append(e.claims, again) }},
		"unknown for no reason": {"unknown", func(e *evidence) { e.runs[lineA] = e.runs[lineA][:3] }},
		"unknown with its row":  {"unknown", func(e *evidence) { e.effects = append(e.effects, effectOf("two")) }},
		"unknown after a whole run": {"unknown", func(e *evidence) {
			e.runs[lineA] = append(e.runs[lineA], scriptRun{PID: 2, Event: runEnds, To: someA, Value: hashOf("two")})
		}},
		"unknown, and another's run was broken off": {"unknown", func(e *evidence) {
			for i := range e.runs[lineA] {
				if r := &e.runs[lineA][i]; r.PID == 2 {
					r.To = "+14155551001"
				}
			}
		}},
		"canceled and its file sent": {"false", func(e *evidence) {
			e.claims[2].MediaURL = "https://127.0.0.1/three.png"
			e.effects = append(e.effects, effectOf("file:three.png"))
		}},
		"failed for good and its file sent": {"false", func(e *evidence) {
			e.claims[2].MediaURL, e.claims[2].ErrorCode = "https://127.0.0.1/three.png", "no_such_target"
			e.effects = append(e.effects, effectOf("file:three.png"))
		}},
		"its file sent twice": {"doubled", func(e *evidence) {
			e.claims[0].MediaURL = "https://127.0.0.1/one.png"
			e.effects = append(e.effects, effectOf("file:one.png"), effectOf("file:one.png"))
		}},
		"still queued":        {"stuck", func(e *evidence) { e.claims[2].Status, e.claims[2].ErrorCode = "queued", "" }},
		"still polling":       {"stuck", func(e *evidence) { e.claims[2].Status, e.claims[2].ErrorCode = "polling", "" }},
		"came in and is gone": {"lost", func(e *evidence) { e.claims = e.claims[:4] }},
		"came in twice":       {"doubled", func(e *evidence) { e.claims = append(e.claims, e.claims[4]) }},
		"came from nowhere":   {"invented", func(e *evidence) { e.received = nil }},
		"typed by nobody":     {"typed", func(e *evidence) { e.claims[3].Origin = "device"; e.sent = e.sent[:3]; e.effects = e.effects[:1] }},
		"lost by an old journal": {"lost", func(e *evidence) {
			e.claims = e.claims[:4]
			e.windows = []window{{whatRestore, lineA, noon.Add(-time.Second), noon.Add(time.Second)}}
		}},
		"no webhook":                 {"webhook", func(e *evidence) { e.told["message.sent"] = nil }},
		"no webhook of what came in": {"webhook", func(e *evidence) { e.told["message.received"] = nil }},
		"two webhooks of one":        {"webhook", func(e *evidence) { e.told["message.received"]["msg_i"] = 2 }},
		"two bodies of one event":    {"webhook", func(e *evidence) { e.clashes = []string{"evt_1"} }},
		"the wrong order":            {"order", func(e *evidence) { slices.Reverse(e.effects) }},
		"a damaged database":         {"database", func(e *evidence) { e.broken = []string{"cloud.db"} }},
	} {
		t.Run(name, func(t *testing.T) {
			e := peace()
			c.change(&e)
			found := judge(e)
			if !slices.ContainsFunc(found, func(v violation) bool { return v.Rule == c.rule }) {
				t.Errorf("found %v, want something of %s", found, c.rule)
			}
		})
	}
}

// What the harness did itself is no violation.
func TestJudgeExcuses(t *testing.T) {
	swap := window{whatSwap, lineA, noon.Add(-time.Second), noon.Add(time.Second)}
	forget := window{whatForget, lineA, noon.Add(-time.Second), noon.Add(time.Second)}
	for name, change := range map[string]func(e *evidence){
		"its shim was killed":          func(e *evidence) { e.runs[lineA] = e.runs[lineA][:3]; e.doubt = map[string]string{"msg_b": "shim.run"} },
		"its Mac was swapped":          func(e *evidence) { e.runs[lineA] = e.runs[lineA][:3]; e.windows = []window{swap} },
		"came in between two journals": func(e *evidence) { e.claims = e.claims[:4]; e.windows = []window{forget} },
		"came in before a journal went, and nobody was there": func(e *evidence) {
			e.claims = e.claims[:4]
			e.windows = []window{
				{whatRepair, lineA, noon.Add(-time.Second), noon.Add(10 * time.Second)},
				{whatForget, lineA, noon.Add(11 * time.Second), noon.Add(12 * time.Second)},
			}
		},
		"Messages did not take it": func(e *evidence) { e.received = append(e.received, received{line: lineA, text: "perhaps", at: noon}) },
		"an equal text of the owner": func(e *evidence) {
			e.typed[lineA+someA+hashOf("mine")] = 1
			e.claims = append(e.claims, claim{ID: "msg_t", From: lineA, To: someA, Content: "mine", Status: "sent", Direction: "outbound", Origin: "device"})
		},
		"a text that failed after its file": func(e *evidence) {
			e.claims[2].MediaURL, e.claims[2].ErrorCode = "https://127.0.0.1/three.png", "text_failed"
			e.effects = append(e.effects, effect{lineA, someA, fileHash("three.png")})
		},
		"a row that failed": func(e *evidence) {
			e.claims = append(e.claims, claim{ID: "msg_f", From: lineA, To: notOnIMessage, Content: "x", Status: "failed", ErrorCode: "messages_error", Direction: "outbound"})
			e.effects = append(e.effects, effect{lineA, notOnIMessage, hashOf("x")})
			e.told["message.failed"]["msg_f"] = 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := peace()
			change(&e)
			if found := judge(e); len(found) > 0 {
				t.Error(found)
			}
		})
	}
}
