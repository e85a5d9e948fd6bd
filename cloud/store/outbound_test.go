package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// Each column of what belongs to sending files gets a value of its own.
func TestOutboundRowsComeBackAsWritten(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	line := store.Line{ID: "num_b", AccountID: accountID, PhoneNumber: "number", Status: "s", SMSFallback: true, CreatedAt: 1}
	relay := store.Relay{ID: "rel_b", AccountID: accountID, LineID: line.ID, SecretHash: "secret", CreatedAt: 1, RetiredAt: 2, Replaced: true, Alarms: 3}
	m := message("msg_f")
	m.Requested, m.AwaitsMedia, m.MediaURL = wire.ServiceRCS, true, "https://example.com/a.jpg"
	v := store.Media{ID: "med_f", AccountID: accountID, LineID: lineID, MessageID: m.ID, Place: 1, Name: "file", MIME: "mime", State: store.MediaPending, Token: "t", CreatedAt: 1, ExpiresAt: 9}
	f := store.Fetch{MediaID: v.ID, AccountID: accountID, MessageID: m.ID, URL: m.MediaURL, Host: "example.com", MaxBytes: 4, Tries: 5, DueAt: 6, GiveUpAt: 7, CopyOf: "msg_old"}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CreateLine(line), tx.CreateRelay(relay), tx.CreateMessage(&m), tx.CreateMedia(v), tx.CreateFetch(f))
	})
	same(t, line)(s.Line(ctx, line.ID))
	same(t, relay)(s.RelayByHash(ctx, "secret")) // it was replaced, and may still speak
	same(t, m)(s.Message(ctx, accountID, m.ID))
	same(t, f)(s.Fetch(ctx, v.ID))
	same(t, v)(s.MediaByID(ctx, v.ID))
	same(t, []store.Fetch{f})(s.DueFetches(ctx, 6, 10, nil, []string{"team_other"}))
	same(t, []store.Fetch(nil))(s.DueFetches(ctx, 5, 10, nil, nil))
	same(t, []store.Fetch(nil))(s.DueFetches(ctx, 6, 10, []string{"other", "example.com"}, nil))
	same(t, []store.Fetch(nil))(s.DueFetches(ctx, 6, 10, nil, []string{f.AccountID}))
	if _, err := s.Outgoing(ctx, m.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a file that is not here: %v", err)
	}
	v.State, v.Size, v.SHA256 = store.MediaStored, 4, "ab"
	write(t, s, func(tx *store.Tx) error {
		got, err := tx.ShowFetched(m.ID, 8)
		if got.AwaitsMedia || got.UpdatedAt != 8 {
			t.Errorf("%+v", got)
		}
		return errors.Join(err, tx.RetryFetch(v.ID, 60), tx.UpdateMedia(v), tx.FallBack(m.ID, "ins_a"), tx.Downgrade(m.ID), tx.RefuseRelay(relay.ID), tx.CountAlarm(relay.ID))
	})
	same(t, v)(s.Outgoing(ctx, m.ID))
	same(t, v)(s.OutgoingOf(ctx, lineID, v.ID))
	if _, err := s.OutgoingOf(ctx, line.ID, v.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another line's file: %v", err)
	}
	f.Tries, f.DueAt = 6, 60
	same(t, f)(s.Fetch(ctx, v.ID))
	if got, err := s.Message(ctx, accountID, m.ID); err != nil || !got.Fallback || !got.Downgraded || got.Service != wire.ServiceSMS {
		t.Errorf("%+v, %v", got, err)
	}
	relay.Replaced, relay.Alarms = false, 4
	same(t, relay)(s.Relay(ctx, relay.ID))
	if _, err := s.RelayByHash(ctx, "secret"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a relay that was refused: %v", err)
	}
	// The file of a message that is still on its way outlives its time.
	if list, err := s.ExpiredMedia(ctx, 100, 10); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	write(t, s, func(tx *store.Tx) error {
		_, _, err := tx.Advance(store.Step{ID: m.ID, To: wire.StatusSent, At: 1, Now: 1})
		return errors.Join(err, tx.EndFetch(v.ID))
	})
	same(t, []store.Media{v})(s.ExpiredMedia(ctx, 100, 10))
	for name, fn := range map[string]func(*store.Tx) error{
		"end a fetch":   func(tx *store.Tx) error { return tx.EndFetch(v.ID) },
		"retry a fetch": func(tx *store.Tx) error { return tx.RetryFetch(v.ID, 1) },
		"fail a file":   func(tx *store.Tx) error { return tx.FailMedia("x") },
		"refuse twice":  func(tx *store.Tx) error { return tx.RefuseRelay(relay.ID) },
	} {
		if err := s.Write(ctx, fn); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing is assigned while its file is on the way, nor what comes after it.
func TestAssignWaitsForFiles(t *testing.T) {
	s, _ := open(t)
	first, second, other := message("msg_1"), message("msg_2"), message("msg_3")
	first.AwaitsMedia, other.Peer = true, "else"
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CreateMessage(&first), tx.CreateMessage(&second), tx.CreateMessage(&other))
	})
	assign := func() (ids []string) {
		write(t, s, func(tx *store.Tx) error {
			list, err := tx.Assign(lineID, "ins_a", store.Room{Window: 9, Now: 9, Opening: -1}, 1)
			for _, m := range list {
				ids = append(ids, m.ID)
			}
			return err
		})
		return ids
	}
	if got := assign(); !slices.Equal(got, []string{"msg_3"}) {
		t.Errorf("%v", got)
	}
	write(t, s, func(tx *store.Tx) error { _, err := tx.ShowFetched(first.ID, 1); return err })
	if got := assign(); !slices.Equal(got, []string{"msg_1"}) {
		t.Errorf("%v", got)
	}
}

func TestGroupsAreKnownByTheirMessages(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	in := message("msg_1")
	in.Direction, in.Status, in.Peer, in.ChatGUID, in.AppleGUID = store.Inbound, wire.StatusReceived, "chat1", "chat1", "g"
	direct := in
	direct.ID, direct.Peer, direct.ChatGUID, direct.AppleGUID = "msg_2", "+1", "chat2", "h"
	g := store.GroupChange{ID: "grp_1", AccountID: accountID, LineID: lineID, AppleGUID: "row", ChatGUID: "chat1", Kind: "joined", Who: "w", Other: "o", Name: "n", MadeAt: 1, CreatedAt: 2}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CreateMessage(&in), tx.CreateMessage(&direct), tx.CreateGroupChange(g))
	})
	same(t, true)(s.HasGroup(ctx, lineID, "chat1"))
	same(t, false)(s.HasGroup(ctx, lineID, "chat2"))
	same(t, false)(s.HasGroup(ctx, "num_other", "chat1"))
	same(t, false)(s.HasGroup(ctx, lineID, ""))
	same(t, true)(s.HasGroupChange(ctx, lineID, "row"))
	same(t, false)(s.HasGroupChange(ctx, lineID, "other"))
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.CreateGroupChange(g) }); !errors.Is(err, store.ErrExists) {
		t.Errorf("the same change twice: %v", err)
	}
	same(t, true)(s.HasMessage(ctx, "msg_1"))
	same(t, false)(s.HasMessage(ctx, "msg_9"))
}

func TestOrphans(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	relay := store.Relay{ID: "rel_a", AccountID: accountID, LineID: lineID, SecretHash: "h", CreatedAt: 1}
	orphan := func(seq int64) store.Orphan {
		return store.Orphan{RelayID: relay.ID, InstallID: "ins_a", Seq: seq, MessageID: "msg_x", Kind: "sent", Report: fmt.Sprint(seq), CreatedAt: seq}
	}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CreateRelay(relay), tx.AddOrphan(orphan(2)), tx.AddOrphan(orphan(1)), tx.AddOrphan(orphan(2)))
	})
	same(t, []store.Orphan{orphan(1), orphan(2)})(s.Orphans(ctx, relay.ID))
	same(t, true)(s.HasOrphans(ctx, 2))
	same(t, false)(s.HasOrphans(ctx, 1))
	write(t, s, func(tx *store.Tx) error { return tx.SweepOrphans(2) })
	same(t, []store.Orphan{orphan(2)})(s.Orphans(ctx, relay.ID))
}

// What fails inside Try leaves nothing, and the rest of the transaction goes on.
func TestTry(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	var rang []string
	seen := make(map[string]int)
	write(t, s, func(tx *store.Tx) error {
		for _, id := range []string{"msg_1", "msg_2", "msg_1", "msg_3"} {
			m := message(id)
			err := tx.Try(func() error {
				tx.OnCommit(func() { rang = append(rang, id) })
				inner := tx.Try(func() error {
					one := message("inner_" + id)
					return errors.Join(tx.CreateMessage(&one), errMine)
				})
				if !errors.Is(inner, errMine) {
					t.Errorf("%v", inner)
				}
				return tx.CreateMessage(&m)
			})
			seen[id]++
			if (err == nil) != (seen[id] == 1) {
				t.Errorf("%s: %v", id, err)
			}
		}
		return nil
	})
	if !slices.Equal(rang, []string{"msg_1", "msg_2", "msg_3"}) {
		t.Errorf("%v", rang)
	}
	list, err := s.Messages(ctx, store.MessageFilter{AccountID: accountID, Limit: 10})
	if err != nil || len(list) != 3 {
		t.Errorf("%d messages, %v", len(list), err)
	}
}

// What the same call would meet again is told from what passes.
func TestHopeless(t *testing.T) {
	s, _ := open(t)
	twice := func(tx *store.Tx) error { m := message("msg_1"); return tx.CreateMessage(&m) }
	write(t, s, twice)
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"a value that is taken":    {s.Write(t.Context(), twice), true},
		"a row that must be there": {s.Write(t.Context(), func(tx *store.Tx) error { return tx.CreateLine(store.Line{ID: "x", AccountID: "nobody"}) }), true},
		"a rule":                   {errMine, true},
		"a full disk":              {fmt.Errorf("write: %w", store.ErrNoSpace), false},
		"nothing":                  {nil, false},
	} {
		if got := store.Hopeless(c.err); got != c.want {
			t.Errorf("%s: %v is hopeless: %t", name, c.err, got)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), twice); store.Hopeless(err) {
		t.Errorf("%v is hopeless", err)
	}
}
