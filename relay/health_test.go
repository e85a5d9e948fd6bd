package relay

import (
	"sync"
	"testing"

	"bluerelay/wire"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	h := newHealth()
	rang := func() bool {
		select {
		case <-h.changed:
			return true
		default:
			return false
		}
	}
	steps := []struct {
		problem wire.Problem
		reason  string
		news    bool
		want    wire.Health
	}{
		{wire.ProblemDisk, "", false, wire.Health{Ready: true}},
		{wire.ProblemMessages, "open Messages", true, wire.Health{Code: wire.ProblemMessages, Reason: "open Messages"}},
		{wire.ProblemMessages, "open Messages", false, wire.Health{Code: wire.ProblemMessages, Reason: "open Messages"}},
		{wire.ProblemMessages, "sign in", true, wire.Health{Code: wire.ProblemMessages, Reason: "sign in"}},
		{wire.ProblemAutomation, "allow it", true, wire.Health{Code: wire.ProblemAutomation, Reason: "allow it"}},
		{wire.ProblemStarting, "starting", true, wire.Health{Code: wire.ProblemAutomation, Reason: "allow it"}},
		{wire.ProblemChatDB, "full disk access", true, wire.Health{Code: wire.ProblemChatDB, Reason: "full disk access"}},
		{wire.ProblemDisk, "make room", true, wire.Health{Code: wire.ProblemDisk, Reason: "make room"}},
		{wire.ProblemDisk, "", true, wire.Health{Code: wire.ProblemChatDB, Reason: "full disk access"}},
		{wire.ProblemChatDB, "", true, wire.Health{Code: wire.ProblemAutomation, Reason: "allow it"}},
		{wire.ProblemAutomation, "", true, wire.Health{Code: wire.ProblemMessages, Reason: "sign in"}},
		{wire.ProblemMessages, "", true, wire.Health{Code: wire.ProblemStarting, Reason: "starting"}},
		{wire.ProblemStarting, "", true, wire.Health{Ready: true}},
		{wire.ProblemStarting, "", false, wire.Health{Ready: true}},
	}
	for i, s := range steps {
		if news := h.set(s.problem, s.reason); news != s.news {
			t.Errorf("step %d: news %t, want %t", i, news, s.news)
		}
		if bell := rang(); bell != s.news {
			t.Errorf("step %d: the bell rang %t, want %t", i, bell, s.news)
		}
		if got := h.now(); got != s.want {
			t.Errorf("step %d: %+v, want %+v", i, got, s.want)
		}
	}
}

// A problem that several have met stands until all have ended it, and is told once.
func TestHealthOfSeveralSides(t *testing.T) {
	t.Parallel()
	h := newHealth()
	h.setBy(inFiles, wire.ProblemDisk, "no room for a file")
	h.setBy(anyone, wire.ProblemDisk, "no room")
	if got, want := h.now(), (wire.Health{Code: wire.ProblemDisk, Reason: "no room"}); got != want || h.reason(wire.ProblemDisk) != "no room" {
		t.Errorf("%+v", got)
	}
	h.set(wire.ProblemDisk, "")
	if got := h.reason(wire.ProblemDisk); got != "no room for a file" || h.reasonBy(anyone, wire.ProblemDisk) != "" {
		t.Errorf("%q", got)
	}
	h.setBy(inSender, wire.ProblemDisk, "")
	if h.now().Ready {
		t.Error("one side has ended what another has met")
	}
	h.setBy(inFiles, wire.ProblemDisk, "")
	if !h.now().Ready {
		t.Errorf("%+v", h.now())
	}
}

// TestHealthKnowsEveryProblem: one that now passes over would never be told.
func TestHealthKnowsEveryProblem(t *testing.T) {
	t.Parallel()
	for _, p := range []wire.Problem{wire.ProblemChatDB, wire.ProblemAutomation, wire.ProblemOsascript, wire.ProblemMessages, wire.ProblemDisk, wire.ProblemStarting} {
		h := newHealth()
		h.set(p, "a sentence")
		if got := h.now(); got.Ready || got.Code != p {
			t.Errorf("%s: %+v", p, got)
		}
	}
}

// TestHealthFromManySides: the bell that is heard last finds the last word.
func TestHealthFromManySides(t *testing.T) {
	t.Parallel()
	h := newHealth()
	var group sync.WaitGroup
	for _, p := range []wire.Problem{wire.ProblemChatDB, wire.ProblemAutomation, wire.ProblemDisk} {
		group.Go(func() {
			for range 200 {
				h.set(p, "trouble")
				h.set(p, "")
			}
		})
	}
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	for running := true; running; {
		select {
		case <-h.changed:
			h.now()
		case <-ended:
			running = false
		}
	}
	if got := h.now(); got != (wire.Health{Ready: true}) {
		t.Errorf("got %+v", got)
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	bell := make(chan struct{}, 1)
	for range 3 {
		ring(bell)
	}
	<-bell
	select {
	case <-bell:
		t.Error("a second ring was kept")
	default:
	}
}
