package chatdb

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// State is what later changes of a row move: receipts, error, edits, the length of
// its body, the number of its chats, its attachments and how far they have come.
// Compare it with == to an earlier one of the same row in the same file; a difference
// says that the row is worth reading again.
type State struct{ packed string }

// The columns of message that a State is made of, by how they are compared.
var (
	stateFlags = [...]string{
		"m.is_from_me", "m.is_sent", "m.is_delivered", "m.is_read", "m.was_downgraded",
		"m.is_empty", "m.cache_has_attachments", "m.is_pending_satellite_send",
	}
	stateNumbers = [...]string{
		"m.error", "m.date_delivered", "m.date_read", "m.date_edited", "m.date_retracted", "m.part_count", "m.schedule_type",
	}
)

// states packs the states of a list of rows into one text, a line for each: handing
// rows and columns over would cost more than reading them. Nothing that is long is
// read: of the body only its length, which SQLite knows without its bytes. json_each
// carries a list of any length in one argument.
func (has schema) states() string {
	var flags []string
	for i, c := range stateFlags {
		if has.column(c) != null {
			flags = append(flags, "(("+c+" IS TRUE) << "+strconv.Itoa(i)+")")
		}
	}
	format, values := "%d %d", "m.ROWID, "+cmp.Or(strings.Join(flags, " | "), "0")
	add := func(verb, value string) { format, values = format+" "+verb, values+", "+value }
	for _, c := range stateNumbers {
		if has.column(c) != null {
			add("%d", c)
		}
	}
	for _, c := range []string{"m.attributedBody", "m.text"} {
		if has.column(c) != null {
			add("%d", "length("+c+")")
		}
	}
	add("%d", "(SELECT count(*) FROM chat_message_join cm WHERE cm.message_id = m.ROWID)")
	add("%s", has.attachmentStates())
	add("%s", has.column("m.service"))
	return "SELECT group_concat(printf('" + format + "', " + values + "), char(10))" +
		" FROM json_each(?1) j CROSS JOIN message m ON m.ROWID = j.value"
}

// attachmentStates are looked up on rows with attachments alone.
func (has schema) attachmentStates() string {
	if !has["message"]["cache_has_attachments"] || has["attachment"] == nil || has["message_attachment_join"] == nil {
		return null
	}
	state := has.column("a.transfer_state")
	if state == null {
		state = "0"
	}
	return "CASE WHEN m.cache_has_attachments THEN (SELECT group_concat(ma.attachment_id || '=' || COALESCE(" + state + ", 0))" +
		" FROM message_attachment_join ma CROSS JOIN attachment a ON a.ROWID = ma.attachment_id WHERE ma.message_id = m.ROWID) END"
}

// damagedState is that of a row on damaged pages.
var damagedState = State{"damaged"}

// States gives the state of the rows with these ROWIDs; those that do not exist are
// left out, and those on damaged pages have a state that no sound row has. It reads no
// body and is much cheaper than reading the rows.
func (db *DB) States(ctx context.Context, rowids []int64) (map[int64]State, error) {
	all := make(map[int64]State, len(rowids))
	for part := range slices.Chunk(rowids, chunk) {
		err := db.addStates(ctx, all, part)
		if damaged(err) {
			err = db.addStatesOneByOne(ctx, all, part)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (db *DB) addStates(ctx context.Context, all map[int64]State, rowids []int64) error {
	list, err := json.Marshal(rowids)
	if err != nil {
		return err
	}
	packed := ""
	err = db.readOnce(ctx, "look at messages", func(s *session) error {
		return s.query(ctx, queryStates, args(string(list)), func(r row) { packed, _ = r[0].(string) })
	})
	if err != nil {
		return err
	}
	for line := range strings.SplitSeq(packed, "\n") {
		id, state, _ := strings.Cut(line, " ")
		if rowid, err := strconv.ParseInt(id, 10, 64); err == nil {
			all[rowid] = State{state}
		}
	}
	return nil
}

func (db *DB) addStatesOneByOne(ctx context.Context, all map[int64]State, rowids []int64) error {
	for _, id := range rowids {
		err := db.addStates(ctx, all, []int64{id})
		if damaged(err) {
			all[id], err = damagedState, nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
