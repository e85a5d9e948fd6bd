package relay

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"bluerelay/wire"
)

// dies is another daemon that died over a send, so long ago.
func (s *sender) dies(t testing.TB, message string, ago time.Duration) {
	t.Helper()
	one := sendIn(t, s.journal, message)
	s.grasp(&one)
	data, err := os.ReadFile(s.inHand())
	if err != nil {
		t.Fatal(err)
	}
	var note inHand
	if err := json.Unmarshal(data, &note); err != nil {
		t.Fatal(err)
	}
	note.Since = time.Now().Add(-ago).UnixMilli()
	if data, err = json.Marshal(note); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.inHand(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s.died = inHand{} // another process
}

func newPoisoned(t *testing.T, state string) *sender {
	s := newSender(t, "exit 0")
	inState(t, s.journal, state)
	clearOutbox(t, s.journal)
	return s
}

// The third death over a message ends it: provably nothing was sent before it was
// armed, and nobody knows afterwards. The message behind it goes on.
func TestPoison(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]string{stateReceived: "nosend msg_1 1", stateArmed: "unknown msg_1 1"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			s := newPoisoned(t, state)
			give(t, s.journal, order("msg_2", 1, bob, "behind it"))
			clearOutbox(t, s.journal)
			for death := 1; death <= deadly; death++ {
				s.dies(t, "msg_1", time.Minute)
				if err := s.autopsy(t.Context(), time.Now()); err != nil {
					t.Fatal(err)
				}
				if got := sendIn(t, s.journal, "msg_1").state; (got == state) != (death < deadly) {
					t.Fatalf("after %d deaths it is %s", death, got)
				}
			}
			if _, err := s.journal.settle(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			wantReports(t, s.journal, want)
			r := reportsOf(t, s.journal)[0]
			if r.Fault == nil || r.Fault.Code != "poison" || r.Again {
				t.Errorf("%+v", r)
			}
			if next, err := s.journal.next(t.Context(), time.Now()); err != nil || next == nil || next.message != "msg_2" {
				t.Errorf("next is %+v, %v", next, err)
			}
			if _, err := os.Stat(s.inHand()); !os.IsNotExist(err) {
				t.Errorf("the note is still there: %v", err)
			}
		})
	}
}

// What does not count: deaths in quick succession, a message that was over, a note that
// cannot be read, a daemon that ended in order.
func TestNoPoison(t *testing.T) {
	t.Parallel()
	t.Run("killed all the time", func(t *testing.T) {
		s := newPoisoned(t, stateReceived)
		for range 10 {
			s.dies(t, "msg_1", time.Second)
			if err := s.autopsy(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		wantState(t, s.journal, "msg_1", stateReceived)
		// The note keeps when it was begun, so that the deaths count once time has passed.
		one := sendIn(t, s.journal, "msg_1")
		since := s.died.Since
		s.grasp(&one)
		if data, err := os.ReadFile(s.inHand()); err != nil || json.Unmarshal(data, &s.died) != nil || s.died.Since != since {
			t.Errorf("since %d, before %d, %v", s.died.Since, since, err)
		}
	})
	t.Run("over already", func(t *testing.T) {
		s := newPoisoned(t, stateObserved)
		for range 4 {
			s.dies(t, "msg_1", time.Minute)
			if err := s.autopsy(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		wantState(t, s.journal, "msg_1", stateObserved)
		wantReports(t, s.journal)
	})
	t.Run("torn note", func(t *testing.T) {
		s := newPoisoned(t, stateReceived)
		if err := os.WriteFile(s.inHand(), []byte(`{"message":`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.autopsy(t.Context(), time.Now()); err != nil {
			t.Error(err)
		}
	})
	t.Run("ended in order", func(t *testing.T) {
		s := newPoisoned(t, stateReceived)
		s.welcome.Store(true)
		if _, err := s.step(t.Context()); err == nil { // there is no chat.db to aim by
			t.Error("it was sent")
		}
		if _, err := os.Stat(s.inHand()); !os.IsNotExist(err) {
			t.Errorf("a note is left: %v", err)
		}
		if h := s.health.now(); h.Code == wire.ProblemDisk {
			t.Errorf("%+v", h)
		}
	})
}
