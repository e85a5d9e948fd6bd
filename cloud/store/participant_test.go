package store_test

import (
	"maps"
	"testing"

	"bluerelay/cloud/store"
)

// Groups are told apart by line and chat, however many are asked for at once.
func TestGroupsReadTogether(t *testing.T) {
	s, _ := open(t)
	const other = "num_b"
	write(t, s, func(tx *store.Tx) error {
		if err := tx.CreateLine(store.Line{ID: other, AccountID: accountID, PhoneNumber: "+14155550000", Status: store.LineActive, CreatedAt: 1}); err != nil {
			return err
		}
		for i, c := range []store.GroupChange{
			{LineID: lineID, ChatGUID: "chat1", Kind: "joined", Who: "ann", Other: "bob", MadeAt: 5},
			{LineID: lineID, ChatGUID: "chat1", Kind: "renamed", Name: "New", MadeAt: 8},
			{LineID: lineID, ChatGUID: "chat1", Kind: "renamed", Name: "Old", MadeAt: 7},
			{LineID: lineID, ChatGUID: "chat1", Kind: "photo_set", Who: "ann", MadeAt: 9},
			{LineID: other, ChatGUID: "chat1", Kind: "left", Who: "ann", MadeAt: 6},
			{LineID: lineID, ChatGUID: "chat2", Kind: "renamed", Who: "cem", Name: "Two", MadeAt: 4},
			{LineID: lineID, ChatGUID: "chat3", Kind: "renamed", Who: "dan", Name: "Three", MadeAt: 4},
		} {
			c.ID = string(rune('a' + i))
			c.AccountID, c.AppleGUID = accountID, c.ID
			if err := tx.CreateGroupChange(c); err != nil {
				return err
			}
		}
		return nil
	})
	one, two, elsewhere, none := store.GroupKey{LineID: lineID, Chat: "chat1"}, store.GroupKey{LineID: lineID, Chat: "chat2"}, store.GroupKey{LineID: other, Chat: "chat1"}, store.GroupKey{LineID: other, Chat: "chat2"}
	for _, groups := range [][]store.GroupKey{{one, two, elsewhere, none}, {elsewhere, two, one}, {two}, nil} {
		people, err := s.Participants(t.Context(), groups...)
		if err != nil {
			t.Fatal(err)
		}
		names, err := s.GroupNames(t.Context(), groups...)
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[store.GroupKey]map[string]store.Participant)
		for g, list := range people {
			got[g] = make(map[string]store.Participant)
			for _, p := range list {
				got[g][p.Address] = p
			}
			if len(got[g]) != len(list) {
				t.Errorf("%v has somebody twice: %v", g, list)
			}
		}
		want := make(map[store.GroupKey]map[string]store.Participant)
		wantNames := make(map[store.GroupKey]string)
		for _, g := range groups {
			switch g {
			case one:
				want[g], wantNames[g] = map[string]store.Participant{"ann": {Address: "ann", In: 9}, "bob": {Address: "bob", In: 5}}, "New"
			case two:
				want[g], wantNames[g] = map[string]store.Participant{"cem": {Address: "cem", In: 4}}, "Two"
			case elsewhere:
				want[g] = map[string]store.Participant{"ann": {Address: "ann", Out: 6}}
			}
		}
		if !maps.EqualFunc(got, want, maps.Equal) {
			t.Errorf("of %v are %v", groups, got)
		}
		for _, g := range groups {
			if names[g] != wantNames[g] {
				t.Errorf("%v is named %q", g, names[g])
			}
		}
	}
}
