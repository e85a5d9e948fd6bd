package store

import (
	"errors"
	"reflect"
	"testing"

	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// Files that come in any order are shown by the messages that stand for them, and all of
// them by the one that they came with.
func TestFilesOfAsides(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write := func(fn func(*Tx) error) {
		t.Helper()
		if err := s.Write(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	file := func(place int64, variant string) Media {
		name := string(rune('a' + place - 1))
		return Media{
			ID: "med_" + name + variant, AccountID: "team_1", LineID: "num_1", MessageID: "msg_1", Place: place, GUID: name, Variant: variant, Name: name + variant,
			State: MediaPending, Token: name + variant, ExpiresAt: 9,
		}
	}
	write(func(tx *Tx) error {
		m := Message{ID: "msg_1", AccountID: "team_1", LineID: "num_1", Direction: Inbound, Status: wire.StatusReceived, From: "+2", To: "+1", Peer: "+2", Content: "hello", AppleGUID: "g", CreatedAt: 1}
		err := errors.Join(tx.CreateAccount(Account{ID: "team_1"}), tx.CreateLine(Line{ID: "num_1", AccountID: "team_1", PhoneNumber: "+1"}), tx.CreateMessage(&m))
		for _, v := range []Media{file(1, ""), file(2, ""), file(2, "jpeg"), file(3, "")} {
			err = errors.Join(err, tx.CreateMedia(v))
		}
		tapback := Message{ID: "msg_9", AccountID: "team_1", LineID: "num_1", Direction: Inbound, Status: wire.StatusReceived, BelongsTo: "msg_1", CreatedAt: 1}
		err = errors.Join(err, tx.CreateAside(&tapback))
		for place, id := range map[int64]string{3: "msg_3", 2: "msg_2"} {
			part := Message{ID: id, AccountID: "team_1", LineID: "num_1", Direction: Inbound, Status: wire.StatusReceived, From: "+2", To: "+1", Peer: "+2", BelongsTo: "msg_1", Place: place, CreatedAt: 1}
			err = errors.Join(err, tx.CreateAside(&part))
		}
		return err
	})
	type view struct {
		URL string
		All []string
		Own []string
	}
	at := func(id string) view {
		m, err := s.Message(ctx, "team_1", id)
		if err != nil {
			t.Fatal(err)
		}
		if own := m.OwnMedia(); len(own) > 0 {
			return view{m.MediaURL, m.MediaURLs, own}
		}
		return view{m.MediaURL, m.MediaURLs, nil}
	}
	for _, step := range []struct {
		file               Media
		first, second, end view
	}{
		{file(3, ""), view{"/media/c/c", nil, nil}, view{}, view{"/media/c/c", nil, []string{"/media/c/c"}}},
		{file(2, "jpeg"), view{"/media/bjpeg/bjpeg", []string{"/media/bjpeg/bjpeg", "/media/c/c"}, nil}, view{"/media/bjpeg/bjpeg", nil, []string{"/media/bjpeg/bjpeg"}}, view{"/media/c/c", nil, []string{"/media/c/c"}}},
		{file(1, ""), view{"/media/a/a", []string{"/media/a/a", "/media/bjpeg/bjpeg", "/media/c/c"}, []string{"/media/a/a"}}, view{"/media/bjpeg/bjpeg", nil, []string{"/media/bjpeg/bjpeg"}}, view{"/media/c/c", nil, []string{"/media/c/c"}}},
		{file(2, ""), view{"/media/a/a", []string{"/media/a/a", "/media/b/b", "/media/bjpeg/bjpeg", "/media/c/c"}, []string{"/media/a/a"}},
			view{"/media/b/b", []string{"/media/b/b", "/media/bjpeg/bjpeg"}, []string{"/media/b/b", "/media/bjpeg/bjpeg"}}, view{"/media/c/c", nil, []string{"/media/c/c"}}},
	} {
		write(func(tx *Tx) error {
			step.file.State = MediaStored
			_, err := tx.ShowMedia("msg_1", 2)
			err = errors.Join(err, tx.UpdateMedia(step.file))
			_, shown := tx.ShowMedia("msg_1", 2)
			return errors.Join(err, shown)
		})
		for id, want := range map[string]view{"msg_1": step.first, "msg_2": step.second, "msg_3": step.end} {
			if got := at(id); !reflect.DeepEqual(got, want) {
				t.Errorf("with %s, %s: %+v, want %+v", step.file.ID, id, got, want)
			}
		}
	}
	if list, err := s.Asides(ctx, "msg_1"); err != nil || !reflect.DeepEqual(ids(list), []string{"msg_9", "msg_2", "msg_3"}) {
		t.Errorf("%v, %v", ids(list), err)
	}
	if n, err := s.CountByLine(ctx, "team_1", 0); err != nil || n["num_1"] != 1 {
		t.Errorf("%v messages, %v", n, err)
	}
}
