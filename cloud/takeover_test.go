package cloud

import (
	"errors"
	"log/slog"
	"slices"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// lone is a service with one Mac, whose connections a test makes by hand.
type lone struct {
	*Service
	t     *testing.T
	dsn   string
	relay store.Relay
}

func newLone(t *testing.T) lone {
	t.Helper()
	dsn := storetest.New(t)
	db, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	relay := store.Relay{ID: "rel_a", AccountID: "team_a", LineID: "num_a", SecretHash: "h", CreatedAt: 1}
	err = db.Write(t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			tx.CreateAccount(store.Account{ID: "team_a", CreatedAt: 1}),
			tx.CreateLine(store.Line{ID: "num_a", AccountID: "team_a", PhoneNumber: "+14155559876", Status: store.LineActive, Verified: true, RelayID: relay.ID, CreatedAt: 1}),
			tx.CreateRelay(relay))
	})
	if err != nil {
		t.Fatal(err)
	}
	return lone{New(Config{Store: db, Log: slog.New(slog.DiscardHandler)}), t, dsn, relay}
}

// connect has the Mac come with a journal; cause is why the connection ended, once it has.
func (l lone) connect(install string) (one *session, cause *error) {
	l.t.Helper()
	cause = new(error)
	one = &session{Service: l.Service, relay: l.relay, log: l.log, bell: make(chan struct{}, 1), gone: make(chan struct{}), empty: make(chan struct{}), cancel: func(err error) { *cause = err }}
	if _, err := one.admit(l.t.Context(), wire.Hello{Protocol: wire.Version, Install: install, Health: wire.Health{Ready: true}}); err != nil {
		l.t.Fatal(err)
	}
	return one, cause
}

// A connection that a newer one has superseded, and that does not know it yet, is
// given nothing: its socket may be dead, and nobody would repeat the order.
func TestSupersededSessionIsGivenNothing(t *testing.T) {
	ctx := t.Context()
	s := newLone(t)
	waiting := store.Message{ID: "msg_a", AccountID: "team_a", LineID: "num_a", Direction: store.Outbound, Status: wire.Queued, Peer: "p", CreatedAt: 1}
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.CreateMessage(&waiting) }); err != nil {
		t.Fatal(err)
	}
	old, cause := s.connect("ins_a")
	fresh, _ := s.connect("ins_a")
	if !errors.Is(*cause, errSuperseded) || s.hub.serving(fresh.number) != fresh {
		t.Errorf("the old connection ends by %v", *cause)
	}
	for _, reports := range [][]wire.Report{nil, {{Seq: 1, Kind: wire.Unknown, Message: waiting.ID, Attempt: 1}}} {
		if err := old.work(ctx, reports); !errors.Is(err, errSuperseded) {
			t.Errorf("its work ended by %v", err)
		}
	}
	if m, err := s.store.Message(ctx, "team_a", waiting.ID); err != nil || m.InstallID != "" || m.Attempt != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	if in, err := s.store.Install(ctx, "ins_a"); err != nil || in.LastSeq != 0 { // the newer one gets the report again
		t.Errorf("%+v, %v", in, err)
	}
	if s.hub.leave(old) || !s.hub.leave(fresh) {
		t.Error("the wrong session was the line's")
	}
}

// A Mac may be back before the end of its former connection is written down, also with
// another journal: the end is no news any more.
func TestBackBeforeItIsAway(t *testing.T) {
	for _, install := range []string{"ins_a", "ins_b"} {
		t.Run(install, func(t *testing.T) {
			s := newLone(t)
			old, _ := s.connect("ins_a")
			if !s.hub.leave(old) {
				t.Fatal("it was not the line's")
			}
			fresh, _ := s.connect(install)
			old.away()
			s.is(true, onlineEvent)
			s.hub.leave(fresh)
			fresh.away()
			s.is(false, onlineEvent, offlineEvent)
		})
	}
}

// is demands that the Mac is connected or not, and that these events were told.
func (l lone) is(connected bool, events ...string) {
	l.t.Helper()
	relay, err := l.store.Relay(l.t.Context(), l.relay.ID)
	if err != nil || relay.Connected != connected || !relay.Ready {
		l.t.Errorf("%+v, %v", relay, err)
	}
	if told := storetest.Rows(l.t, l.dsn, "SELECT type FROM events ORDER BY seq"); !slices.Equal(told, events) {
		l.t.Errorf("%q, want %q", told, events)
	}
}
