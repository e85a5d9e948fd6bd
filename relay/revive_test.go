package relay

import (
	"errors"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// pending is a row that Messages has made of a send and has neither sent nor failed.
func pending(t *testing.T, j *journal, seen func(*chatdb.Message)) {
	t.Helper()
	m := chatdb.Message{RowID: 11, GUID: "G-11", FromMe: true, Service: "iMessage", Date: noon}
	if seen != nil {
		seen(&m)
	}
	bind(t, j, "msg_1", m, chatdb.Seen{})
}

// The rule, condition by condition, for the start and for the restart of Messages.
func TestRevivalRule(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		given           func(*testing.T, *journal)
		now             time.Time
		launch, restart error
	}{
		"nothing to do":           {func(*testing.T, *journal) {}, noon, nil, nil},
		"an order waits":          {func(t *testing.T, j *journal) { inState(t, j, stateReceived) }, noon, nil, nil},
		"osascript may run":       {func(t *testing.T, j *journal) { inState(t, j, stateArmed) }, noon, errInHand, errInHand},
		"it may run since a year": {func(t *testing.T, j *journal) { inState(t, j, stateArmed) }, noon.AddDate(1, 0, 0), errInHand, errInHand},
		"the row is awaited":      {func(t *testing.T, j *journal) { inState(t, j, stateHanded) }, noon, errAwaited, errAwaited},
		"nobody knows":            {func(t *testing.T, j *journal) { inState(t, j, stateUnknown) }, noon, nil, nil},
		"it had no effect":        {func(t *testing.T, j *journal) { inState(t, j, stateNoSend) }, noon, nil, nil},
		"the row is under way": {func(t *testing.T, j *journal) { inState(t, j, stateArmed); pending(t, j, nil) },
			noon.Add(time.Hour), nil, errUnderWay},
		"the row is dead": {func(t *testing.T, j *journal) { inState(t, j, stateArmed); pending(t, j, nil) },
			noon.Add(stuckFor + time.Second), nil, nil},
		"the row is sent": {func(t *testing.T, j *journal) {
			inState(t, j, stateArmed)
			pending(t, j, func(m *chatdb.Message) { m.Sent = true })
		}, noon, nil, nil},
		"the row has failed": {func(t *testing.T, j *journal) {
			inState(t, j, stateArmed)
			pending(t, j, func(m *chatdb.Message) { m.Error = 22 })
		}, noon, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for what, want := range map[revival]error{launch: tt.launch, restart: tt.restart} {
				j := newJournal(t)
				tt.given(t, j)
				if err := j.revive(t.Context(), what, 4, tt.now); !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", what, err, want)
				}
			}
		})
	}
}

// So many in an hour and no more, through restarts of the relay; what was refused does
// not count.
func TestRevivalsAreCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := reopen(t, dir)
	revive := func(at time.Time, want error) {
		t.Helper()
		if err := j.revive(t.Context(), launch, 2, at); !errors.Is(err, want) {
			t.Errorf("%v: %v, want %v", at.Sub(noon), err, want)
		}
	}
	revive(noon, nil)
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	j = reopen(t, dir)
	revive(noon.Add(10*time.Minute), nil)
	for range 3 {
		revive(noon.Add(59*time.Minute), errTooOften)
	}
	revive(noon.Add(61*time.Minute), nil)
	revive(noon.Add(62*time.Minute), errTooOften)
	revive(noon.Add(11*time.Minute), errTooOften) // the clock was set back
	revive(noon.Add(24*time.Hour), nil)
}
