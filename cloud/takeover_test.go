package cloud

import (
	"errors"
	"log/slog"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// A connection that a newer one has superseded, and that does not know it yet, is
// given nothing: its socket may be dead, and nobody would repeat the order.
func TestSupersededSessionIsGivenNothing(t *testing.T) {
	ctx := t.Context()
	db, err := store.Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s := New(Config{Store: db, Log: slog.New(slog.DiscardHandler)})
	relay := store.Relay{ID: "rel_a", AccountID: "team_a", LineID: "num_a", SecretHash: "h", CreatedAt: 1}
	waiting := store.Message{ID: "msg_a", AccountID: "team_a", LineID: "num_a", Direction: store.Outbound, Status: wire.Queued, Peer: "p", CreatedAt: 1}
	err = db.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(
			tx.CreateAccount(store.Account{ID: "team_a", CreatedAt: 1}),
			tx.CreateLine(store.Line{ID: "num_a", AccountID: "team_a", PhoneNumber: "+14155559876", Status: store.LineActive, Verified: true, RelayID: relay.ID, CreatedAt: 1}),
			tx.CreateRelay(relay), tx.CreateMessage(&waiting))
	})
	if err != nil {
		t.Fatal(err)
	}
	connect := func() (one *session, cause *error) {
		cause = new(error)
		one = &session{Service: s, relay: relay, log: s.log, bell: make(chan struct{}, 1), gone: make(chan struct{}), empty: make(chan struct{}), cancel: func(err error) { *cause = err }}
		if _, err := one.admit(ctx, wire.Hello{Protocol: wire.Version, Install: "ins_a", Health: wire.Health{Ready: true}}); err != nil {
			t.Fatal(err)
		}
		return one, cause
	}
	old, cause := connect()
	fresh, _ := connect()
	if !errors.Is(*cause, errSuperseded) || s.hub.serving(fresh.number) != fresh {
		t.Errorf("the old connection ends by %v", *cause)
	}
	for _, reports := range [][]wire.Report{nil, {{Seq: 1, Kind: wire.Unknown, Message: waiting.ID, Attempt: 1}}} {
		if err := old.work(ctx, reports); !errors.Is(err, errSuperseded) {
			t.Errorf("its work ended by %v", err)
		}
	}
	if m, err := db.Message(ctx, "team_a", waiting.ID); err != nil || m.InstallID != "" || m.Attempt != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	if in, err := db.Install(ctx, "ins_a"); err != nil || in.LastSeq != 0 { // the newer one gets the report again
		t.Errorf("%+v, %v", in, err)
	}
	if s.hub.leave(old) || !s.hub.leave(fresh) {
		t.Error("the wrong session was the line's")
	}
}
