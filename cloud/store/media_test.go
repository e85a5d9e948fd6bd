package store

import (
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"bluerelay/cloud/store/storetest"
)

// The files of a message come in order, and its addresses are those that are stored.
func TestMedia(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m := Message{ID: "msg_1", AccountID: "team_a", LineID: "num_1", Direction: Inbound, Status: "received", AppleGUID: "G", CreatedAt: 1}
	file := func(id, guid, variant, state string, place int64) Media {
		return Media{ID: id, AccountID: "team_a", LineID: "num_1", MessageID: "msg_1", Place: place, GUID: guid, Variant: variant, Name: id + ".jpg", MIME: "image/jpeg",
			Size: 7, SHA256: "ab", State: state, Token: "t" + id, CreatedAt: 1, ExpiresAt: 100 + place}
	}
	list := []Media{file("a", "A", "", MediaStored, 1), file("b", "A", "jpeg", MediaPending, 1), file("c", "B", "", MediaStored, 2)}
	err = s.Write(ctx, func(tx *Tx) error {
		err := errors.Join(tx.CreateAccount(Account{ID: "team_a"}), tx.CreateLine(Line{ID: "num_1", AccountID: "team_a"}), tx.CreateMessage(&m), tx.HoldEvent(m, 50))
		for _, v := range list {
			err = errors.Join(err, tx.CreateMedia(v))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.MessageMedia(ctx, "msg_1"); err != nil || !reflect.DeepEqual(got, list) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return tx.CreateMedia(file("d", "A", "", MediaPending, 9)) }); !errors.Is(err, ErrExists) {
		t.Errorf("the same file twice: %v", err)
	}
	show := func() (got Message) {
		t.Helper()
		if err := s.Write(ctx, func(tx *Tx) (err error) { got, err = tx.ShowMedia("msg_1", 2); return err }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := show(); got.MediaURL != "/media/ta/a.jpg" || !reflect.DeepEqual(got.MediaURLs, []string{"/media/ta/a.jpg", "/media/tc/c.jpg"}) {
		t.Errorf("%q %q", got.MediaURL, got.MediaURLs)
	}
	if got, err := s.ExpiredMedia(ctx, 101, 10); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
	if err := s.Write(ctx, func(tx *Tx) error { return errors.Join(tx.RemoveMedia("a"), tx.RemoveMedia("b")) }); err != nil {
		t.Fatal(err)
	}
	if got := show(); got.MediaURL != "/media/tc/c.jpg" || got.MediaURLs != nil {
		t.Errorf("%q %q", got.MediaURL, got.MediaURLs)
	}
	for _, at := range []int64{49, 50} {
		if due, err := s.DueHeld(ctx, at, 10); err != nil || len(due) != int(at-49) {
			t.Errorf("at %d: %v, %v", at, due, err)
		}
	}
	for _, want := range []bool{true, false} {
		err := s.Write(ctx, func(tx *Tx) error {
			held, err := tx.Held(tx.Context(), "msg_1")
			taken, terr := tx.TakeHeld("msg_1")
			if held != want || taken != want {
				t.Errorf("held %v, taken %v, want %v", held, taken, want)
			}
			return errors.Join(err, terr)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.MediaByToken(ctx, "ta"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed file: %v", err)
	}
	if _, err := s.MessageByGUID(ctx, "num_2", "G"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another line's message: %v", err)
	}
	for _, q := range append(kept(s.stmts), kept(s.writer.stmts)...) {
		if strings.HasPrefix(q, "INSERT") || !regexp.MustCompile(`\b(media|held_events)\b`).MatchString(q) {
			continue
		}
		for _, step := range explainPlan(t, s, q) {
			if regexp.MustCompile(`\bSCAN (media|held_events|messages)\b`).MatchString(step) {
				t.Errorf("%s\n\t%s", q, step)
			}
		}
	}
}
