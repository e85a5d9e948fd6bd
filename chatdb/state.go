package chatdb

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
)

// States are the states of some rows at one look: what later changes of a row move, which
// is receipts, error, edits, the length of its body, the number of its chats, its
// attachments and how far they have come. Compare them with those of an earlier look at the
// same file. The zero value has none.
type States struct {
	// lines are one for each row, in the order of ROWID: the ROWID, a space, its state.
	lines string
}

// Moved gives the rows whose state is another one than at an earlier look, and those that
// had none then: they are worth reading again.
func (s States) Moved(then States) (rowids []int64) {
	if s == then {
		return nil
	}
	for now, was := s.lines, then.lines; now != ""; {
		line, rest, _ := strings.Cut(now, "\n")
		old, oldRest, _ := strings.Cut(was, "\n")
		if line == old {
			now, was = rest, oldRest
			continue
		}
		id, oldID := rowOf(line), rowOf(old)
		if was != "" && oldID < id { // it was not looked at any more
			was = oldRest
			continue
		}
		rowids, now = append(rowids, id), rest
		if oldID == id {
			was = oldRest
		}
	}
	return rowids
}

// Rows are the rows that exist, in the order of ROWID.
func (s States) Rows() (rowids []int64) {
	for line := range strings.Lines(s.lines) {
		if id := rowOf(line); id > 0 {
			rowids = append(rowids, id)
		}
	}
	return rowids
}

// rowOf is the ROWID that a line begins with, 0 where it begins with none.
func rowOf(line string) int64 {
	id, _, _ := strings.Cut(line, " ")
	rowid, _ := strconv.ParseInt(id, 10, 64)
	return rowid
}

// The columns of message that a state is made of, by how they are compared.
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
// carries a list of any length in one argument. No line is broken by what stands in a row.
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
	add("%s", "hex("+has.column("m.service")+")")
	return "SELECT group_concat(printf('" + format + "', " + values + "), char(10))" +
		" FROM json_each(?1) j CROSS JOIN message m ON m.ROWID = j.value"
}

// attachmentStates are looked up on rows with attachments alone.
func (has schema) attachmentStates() string {
	if !has["message"]["cache_has_attachments"] || has["attachment"] == nil || has["message_attachment_join"] == nil {
		return null
	}
	return "CASE WHEN m.cache_has_attachments THEN (SELECT group_concat(printf('%d=%d', ma.attachment_id, " + has.column("a.transfer_state") + "))" +
		" FROM message_attachment_join ma CROSS JOIN attachment a ON a.ROWID = ma.attachment_id WHERE ma.message_id = m.ROWID) END"
}

// States gives the states of the rows with these ROWIDs; those that do not exist are left
// out, and those on damaged pages have a state that no sound row has. It reads no body and
// is much cheaper than reading the rows.
func (db *DB) States(ctx context.Context, rowids []int64) (States, error) {
	rowids = slices.Compact(slices.Sorted(slices.Values(rowids)))
	var lines []string
	for part := range slices.Chunk(rowids, chunk) {
		packed, err := db.packedStates(ctx, part)
		if damaged(err) {
			packed, err = db.packedOneByOne(ctx, part)
		}
		if err != nil {
			return States{}, err
		}
		if packed != "" {
			lines = append(lines, packed)
		}
	}
	return States{strings.Join(lines, "\n")}, nil
}

func (db *DB) packedStates(ctx context.Context, rowids []int64) (packed string, err error) {
	list := []byte{'['}
	for i, id := range rowids {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, id, 10)
	}
	list = append(list, ']')
	err = db.readOnce(ctx, "look at messages", func(s *session) error {
		return s.query(ctx, queryStates, args(string(list)), func(r row) { packed, _ = r[0].(string) })
	})
	return packed, err
}

// packedOneByOne is packedStates in a file with damaged pages.
func (db *DB) packedOneByOne(ctx context.Context, rowids []int64) (string, error) {
	var lines []string
	for _, id := range rowids {
		packed, err := db.packedStates(ctx, []int64{id})
		if damaged(err) {
			packed, err = strconv.FormatInt(id, 10)+" damaged", nil
		}
		if err != nil {
			return "", err
		}
		if packed != "" {
			lines = append(lines, packed)
		}
	}
	return strings.Join(lines, "\n"), nil
}
