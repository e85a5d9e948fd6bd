package chatdb_test

import (
	"slices"
	"testing"

	"bluerelay/chatdb"
)

// Whatever may be told of a row later moves its state, and nothing else does.
func TestStateMoves(t *testing.T) {
	f := newFixture(t)
	chat := f.chat("any;-;+15551230001", 45)
	id := f.message("m", "hello", values{"is_from_me": 1})
	f.message("other", "hello", nil)
	db := f.open()
	look := func() chatdb.States {
		t.Helper()
		states, err := db.States(t.Context(), []int64{id, id + 1000})
		if err != nil || !slices.Equal(states.Rows(), []int64{id}) {
			t.Fatalf("%v, %v", states, err)
		}
		return states
	}
	set := func(assignment string) func() {
		return func() { f.exec("UPDATE message SET " + assignment + " WHERE guid = 'm'") }
	}
	attach := func(guid string) func() {
		return func() {
			file := f.attachment(guid, values{"transfer_state": 0})
			f.exec("INSERT INTO message_attachment_join (message_id, attachment_id) VALUES (?, ?)", id, file)
		}
	}
	before := look()
	for _, step := range []struct {
		name  string
		do    func()
		moves bool
	}{
		{"nothing", func() {}, false},
		{"another row", func() { f.exec("UPDATE message SET is_read = 1 WHERE guid = 'other'") }, false},
		{"a column of no meaning", set("is_archive = 1"), false},
		{"sent", set("is_sent = 1"), true},
		{"delivered", set("is_delivered = 1"), true},
		{"its date", set("date_delivered = 700000000000000001"), true},
		{"the date alone", set("date_delivered = 700000000000000002"), true},
		{"read", set("is_read = 1, date_read = 700000000000000003"), true},
		{"failed", set("error = 22"), true},
		{"downgraded", set("was_downgraded = 1"), true},
		{"service", set("service = 'SMS'"), true},
		{"edited", set("date_edited = 700000000000000004"), true},
		{"taken back", set("is_empty = 1, part_count = 0"), true},
		{"longer", set("attributedBody = attributedBody || x'00'"), true},
		{"joined", func() { f.join(chat, id) }, true},
		{"the first file", func() { attach("at_0")(); set("cache_has_attachments = 1")() }, true},
		{"the second file", attach("at_1"), true},
		{"a file on its way", func() { f.exec("UPDATE attachment SET transfer_state = 3 WHERE guid = 'at_0'") }, true},
		{"a file that is there", func() { f.exec("UPDATE attachment SET transfer_state = 5 WHERE guid = 'at_1'") }, true},
		{"nothing more", func() {}, false},
	} {
		step.do()
		now := look()
		if moved := now.Moved(before); (len(moved) > 0) != step.moves {
			t.Errorf("%s: %+v, then %+v", step.name, before, now)
		}
		before = now
	}
	got, err := db.Rows(t.Context(), []int64{id})
	if err != nil || len(got) != 1 || len(got[0].Attachments) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A list of any length is looked at, each row on its own, whatever stands in it.
func TestStatesOfMany(t *testing.T) {
	f := newFixture(t)
	var ids []int64
	f.exec("BEGIN")
	for i := range 1200 {
		ids = append(ids, f.insert("message", values{"guid": i, "service": "line\n7 \n\nbreak"}))
	}
	f.exec("COMMIT")
	db := f.open()
	look := func(rowids ...int64) chatdb.States {
		t.Helper()
		states, err := db.States(t.Context(), rowids)
		if err != nil {
			t.Fatal(err)
		}
		return states
	}
	moved := func(now, then chatdb.States, want ...int64) {
		t.Helper()
		if got := now.Moved(then); !slices.Equal(got, want) {
			t.Errorf("%v have moved, want %v", got, want)
		}
	}
	all := append(slices.Clone(ids), ids...)
	slices.Reverse(all)
	first := look(append(all, 9999)...)
	if got := first.Rows(); !slices.Equal(got, ids) {
		t.Fatalf("%d rows", len(got))
	}
	moved(look(), chatdb.States{})
	moved(first, chatdb.States{}, ids...)
	moved(look(ids...), first)
	// Others are followed from one look to the next: new ones have moved.
	moved(look(ids[3:]...), first)
	moved(first, look(ids[3:]...), ids[:3]...)
	moved(first, look(ids[5:600]...), slices.Concat(ids[:5], ids[600:])...)
	f.exec("UPDATE message SET is_sent = 1 WHERE guid IN ('0', '2', '700', '1199')")
	f.exec("DELETE FROM message WHERE guid IN ('1', '701', '1198')")
	moved(look(ids...), first, ids[0], ids[2], ids[700], ids[1199])
	moved(look(ids[1:800]...), first, ids[2], ids[700])
}
