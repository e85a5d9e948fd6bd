package store_test

import (
	"slices"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

func ids(list []store.Message) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.ID
	}
	return out
}

func assign(t testing.TB, s *store.Store, window, room int) []store.Message {
	t.Helper()
	var list []store.Message
	write(t, s, func(tx *store.Tx) (err error) {
		list, err = tx.Assign(lineID, "ins_a", store.Room{Window: window, Now: room, Opening: -1}, 2000)
		return err
	})
	return list
}

func advance(t testing.TB, s *store.Store, step store.Step) (store.Message, bool) {
	t.Helper()
	var m store.Message
	var changed bool
	write(t, s, func(tx *store.Tx) (err error) { m, changed, err = tx.Advance(step); return err })
	return m, changed
}

func TestAssignOldestFirstOnePerPeer(t *testing.T) {
	s, _ := open(t)
	for _, one := range []struct{ id, peer string }{{"a1", "a"}, {"a2", "a"}, {"b1", "b"}, {"c1", "c"}, {"b2", "b"}, {"d1", "d"}, {"e1", "e"}, {"f1", "f"}} {
		m := message(one.id)
		m.Peer = one.peer
		write(t, s, func(tx *store.Tx) error { return tx.CreateMessage(&m) })
	}
	got := assign(t, s, 4, 2)
	if !slices.Equal(ids(got), []string{"a1", "b1"}) || got[0].InstallID != "ins_a" || got[0].Attempt != 1 || got[0].Status != wire.Queued {
		t.Fatalf("%+v", got)
	}
	if got := ids(assign(t, s, 4, 100)); !slices.Equal(got, []string{"c1", "d1"}) {
		t.Errorf("the window's rest: %v", got)
	}
	if got := assign(t, s, 4, 100); len(got) != 0 {
		t.Errorf("beyond the window: %v", ids(got))
	}
	waiting, err := s.Waiting(t.Context(), lineID, 100)
	if err != nil || !slices.Equal(ids(waiting), []string{"a2", "b2", "e1", "f1"}) {
		t.Errorf("%v, %v", ids(waiting), err)
	}
	held, err := s.Assigned(t.Context(), "ins_a", lineID)
	if err != nil || !slices.Equal(ids(held), []string{"a1", "b1", "c1", "d1"}) {
		t.Errorf("%v, %v", ids(held), err)
	}
	// A settled one makes room for the next of its peer, which is older than e1.
	if _, ok := advance(t, s, store.Step{ID: "b1", To: wire.StatusSent, At: 1, Now: 2001}); !ok {
		t.Fatal("not sent")
	}
	if got := ids(assign(t, s, 4, 100)); !slices.Equal(got, []string{"b2"}) {
		t.Errorf("after b1: %v", got)
	}
	// One that had no effect goes back and is the first again, with a new attempt.
	if _, ok := advance(t, s, store.Step{ID: "a1", To: wire.Queued, InstallID: "ins_a", Attempt: 1, Now: 2002}); !ok {
		t.Fatal("not requeued")
	}
	got = assign(t, s, 4, 100)
	if !slices.Equal(ids(got), []string{"a1"}) || got[0].Attempt != 2 {
		t.Errorf("%+v", got)
	}
}

func TestFencesAndFacts(t *testing.T) {
	s, _ := open(t)
	m := message("m")
	write(t, s, func(tx *store.Tx) error { return tx.CreateMessage(&m) })
	assign(t, s, 1, 1)
	for _, stale := range []store.Step{
		{To: wire.StatusAccepted, InstallID: "ins_b", Attempt: 1},
		{To: wire.StatusUnknown, InstallID: "ins_b", Attempt: 1},
		{To: wire.Queued, InstallID: "ins_a", Attempt: 0},
		{To: wire.StatusFailed, InstallID: "ins_a", Attempt: 0},
	} {
		stale.ID, stale.Now = "m", 3000
		if _, changed := advance(t, s, stale); changed {
			t.Errorf("%+v was not void", stale)
		}
	}
	if got, changed := advance(t, s, store.Step{ID: "m", To: wire.StatusAccepted, InstallID: "ins_a", Attempt: 1, At: 10, Now: 3000}); !changed || got.AcceptedAt != 10 || got.Attempt != 1 {
		t.Errorf("%+v, %t", got, changed)
	}
	if got, changed := advance(t, s, store.Step{ID: "m", To: wire.StatusSending, InstallID: "ins_a", Attempt: 3, At: 11, Now: 3000}); !changed || got.Attempt != 3 {
		t.Errorf("of a later attempt: %+v, %t", got, changed)
	}
	read, changed := advance(t, s, store.Step{ID: "m", To: wire.StatusRead, At: 20, Now: 3001, AppleGUID: "guid", Service: "SMS"})
	if !changed || read.SentAt != 20 || read.DeliveredAt != 20 || read.ReadAt != 20 || read.AppleGUID != "guid" || read.Service != "SMS" || read.UpdatedAt != 3001 {
		t.Errorf("%+v, %t", read, changed)
	}
	for _, late := range []wire.Status{wire.StatusSent, wire.StatusDelivered, wire.StatusRead, wire.StatusFailed, wire.StatusUnknown, wire.Queued, wire.Canceled, wire.Expired} {
		if _, changed := advance(t, s, store.Step{ID: "m", To: late, At: 30, Now: 3002}); changed {
			t.Errorf("read became %s", late)
		}
	}
	same(t, read)(s.Message(t.Context(), accountID, "m"))
	if err := s.Write(t.Context(), func(tx *store.Tx) error {
		_, _, err := tx.Advance(store.Step{ID: "m", To: wire.StatusReceived})
		return err
	}); err == nil {
		t.Error("an outbound message became received")
	}
}
