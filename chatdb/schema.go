package chatdb

import (
	"context"
	"fmt"
	"strings"
)

// schema is what this database's tables are made of: table → column → there.
// Columns differ between releases of macOS and within one, and an upgraded
// database orders them otherwise than a fresh one, so they are asked for once
// and then selected by name. A column that is missing reads as NULL.
type schema map[string]map[string]bool

// tables are those that are read. Without the first four it is not the
// database of Messages; without another, what it holds is left out.
var tables = [...]string{
	"message", "chat", "handle", "chat_message_join",
	"chat_handle_join", "attachment", "message_attachment_join",
	"chat_recoverable_message_join", "_SqliteDatabaseProperties",
}

const requiredTables = 4

func probeSchema(ctx context.Context, s *session) (schema, error) {
	has := make(schema, len(tables))
	for _, table := range tables {
		columns := make(map[string]bool)
		err := s.text(ctx, "PRAGMA table_info("+table+")", func(r row) { columns[r.text(1)] = true })
		if err != nil {
			return nil, fmt.Errorf("probe table %s: %w", table, err)
		}
		if len(columns) > 0 {
			has[table] = columns
		}
	}
	return has, nil
}

// query numbers the prepared statements of a session.
type query int

const (
	queryBegin query = iota
	queryEnd
	queryDataVersion
	queryIdentity
	querySequence
	queryNewest
	queryGUIDAt
	queryRowIDOf
	queryFirstSince
	queryAfter
	queryBefore
	queryRow
	queryGUID
	queryDated
	queryDatedIDs
	queryStates
	queryOwnSince
	querySinceIDs
	queryChatGUID
	queryTrash
	queryAttachments
	queryAttachment
	queryDirectChats
	queryBareChats
	queryCount
)

// The columns of each kind of row, in the order in which messageOf, chatOf and
// attachmentOf read them.
var (
	messageColumns = [...]string{
		"m.ROWID", "m.guid", "m.text", "m.attributedBody", "h.id",
		"m.service", "m.account", "m.destination_caller_id", "m.subject", "m.balloon_bundle_id", "m.cache_roomnames",
		"m.is_from_me", "m.is_sent", "m.is_delivered", "m.is_read", "m.is_finished", "m.was_downgraded",
		"m.is_spam", "m.is_system_message", "m.is_empty", "m.is_audio_message", "m.is_pending_satellite_send",
		"m.error", "m.item_type", "m.associated_message_type", "m.associated_message_guid", "m.schedule_type",
		"m.date", "m.date_read", "m.date_delivered", "m.date_edited", "m.cache_has_attachments",
		"m.associated_message_emoji", "m.thread_originator_guid", "m.thread_originator_part",
		"m.group_action_type", "o.id", "m.group_title",
		"m.message_summary_info", "m.date_retracted", "m.part_count",
		"m.filter_action", "m.date_recovered", "m.expressive_send_style_id",
	}
	chatColumns = [...]string{
		"c.ROWID", "c.guid", "c.chat_identifier", "c.service_name", "c.room_name", "c.display_name", "c.style", "c.is_filtered", "c.is_blackholed",
	}
	attachmentColumns = [...]string{
		"a.ROWID", "a.guid", "a.filename", "a.uti", "a.mime_type", "a.transfer_name",
		"a.transfer_state", "a.total_bytes", "a.is_outgoing", "a.hide_attachment", "a.is_sticker",
	}
)

// queries writes the statements for this schema. All that run on the way of a message
// look up by key: CROSS JOIN, like LEFT JOIN, keeps SQLite from turning a join round.
// The plus before a value that a column is to equal hides it from the planner, which
// would otherwise prepare the statement anew for each value, at ten times the cost of
// running it.
func (has schema) queries() (sql [queryCount]string, err error) {
	for _, table := range tables[:requiredTables] {
		if has[table] == nil {
			return sql, &Error{Kind: ErrNotMessages, Err: fmt.Errorf("no table %s", table)}
		}
	}
	if !has["message"]["guid"] {
		return sql, &Error{Kind: ErrNotMessages, Err: fmt.Errorf("table message has no column guid")}
	}
	sql[queryBegin] = "BEGIN"
	sql[queryEnd] = "ROLLBACK"
	sql[queryDataVersion] = "PRAGMA data_version"
	sql[querySequence] = "SELECT seq FROM sqlite_sequence WHERE name = 'message'"
	sql[queryNewest] = "SELECT ROWID, guid FROM message ORDER BY ROWID DESC LIMIT 1"
	// The plus keeps SQLite on the index of dates: for a plain MIN(ROWID) it
	// would walk all rows, with their bodies, from the oldest on. What is below
	// nanosecondsFrom is in seconds.
	sql[queryFirstSince] = fmt.Sprintf("SELECT COALESCE(MIN(id), (SELECT MAX(ROWID) + 1 FROM message), 1) FROM ("+
		"SELECT MIN(+ROWID) AS id FROM message WHERE date >= ?1 UNION ALL SELECT MIN(+ROWID) FROM message WHERE date >= ?2 AND date < %d)", int64(nanosecondsFrom))
	sql[queryGUIDAt] = "SELECT guid FROM message WHERE ROWID = ?1"
	sql[queryRowIDOf] = "SELECT ROWID FROM message WHERE guid = ?1" // out of the index of guids
	if has["_SqliteDatabaseProperties"] != nil {
		sql[queryIdentity] = "SELECT value FROM _SqliteDatabaseProperties WHERE key = '_UniqueIdentifier'"
	}

	sql[queryAfter] = has.messages("m.ROWID > ?1 ORDER BY m.ROWID")
	sql[queryBefore] = has.messages("m.ROWID < ?1 ORDER BY m.ROWID DESC")
	sql[queryDated] = has.messages("m.date = +?1 ORDER BY m.ROWID")
	sql[queryDatedIDs] = "SELECT ROWID FROM message WHERE date = +?1 ORDER BY ROWID"
	sql[queryOwnSince] = has.messages("m.date >= ?1 AND m.is_from_me = 1 ORDER BY m.date, m.ROWID")
	sql[querySinceIDs] = "SELECT ROWID FROM message WHERE date >= ?1 ORDER BY date, ROWID"
	sql[queryRow] = has.messages("m.ROWID = +?1")
	sql[queryGUID] = has.messages("m.guid = +?1")
	sql[queryStates] = has.states()

	sql[queryChatGUID] = "SELECT " + has.columns(chatColumns[:]) + " FROM chat c WHERE c.guid = ?1"
	if has["chat_recoverable_message_join"] != nil {
		sql[queryTrash] = "SELECT " + has.columns(chatColumns[:]) + " FROM chat_recoverable_message_join cm CROSS JOIN chat c ON c.ROWID = cm.chat_id WHERE cm.message_id = ?1"
	}
	if has["attachment"] != nil {
		attachment := "SELECT " + has.columns(attachmentColumns[:]) + " FROM "
		sql[queryAttachment] = attachment + "attachment a WHERE a.guid = ?1"
		if has["message_attachment_join"] != nil {
			sql[queryAttachments] = attachment + "message_attachment_join ma CROSS JOIN attachment a ON a.ROWID = ma.attachment_id WHERE ma.message_id = ?1 ORDER BY a.ROWID"
		}
	}
	sql[queryDirectChats], sql[queryBareChats] = has.directChats()
	return sql, nil
}

// messages selects messages with their handles and chats: one row for each chat, and
// one where there is none. So most messages take one statement, which is a snapshot by
// itself. It has no LIMIT, which would count chats: whoever has enough stops.
func (has schema) messages(which string) string {
	sql := "SELECT " + has.columns(messageColumns[:]) + ", " + has.columns(chatColumns[:]) +
		" FROM message m LEFT JOIN handle h ON h.ROWID = m.handle_id"
	if has.others() {
		sql += " LEFT JOIN handle o ON o.ROWID = m.other_handle AND m.item_type != 0"
	}
	return sql + " LEFT JOIN chat_message_join cm ON cm.message_id = m.ROWID LEFT JOIN chat c ON c.ROWID = cm.chat_id WHERE " + which
}

// directChats finds chats through the handle and by their own identifier: a
// fresh chat may have no participants yet, and one person has a handle row for
// each service. The newest message is taken by the join's copy of its date,
// which is indexed, and by ROWID where there is none (before macOS 10.13). bare finds
// the same without a look at any message.
func (has schema) directChats() (whole, bare string) {
	candidates := "SELECT ROWID AS id FROM chat WHERE chat_identifier = ?1"
	if has["chat_handle_join"] != nil {
		candidates += " UNION SELECT ch.chat_id FROM handle h CROSS JOIN chat_handle_join ch ON ch.handle_id = h.ROWID WHERE h.id = ?1"
	}
	date := "0"
	if has["chat_message_join"]["message_date"] {
		date = "cm.message_date"
	}
	newest := " FROM chat_message_join cm WHERE cm.chat_id = c.ROWID ORDER BY " + date + " DESC, cm.message_id DESC LIMIT 1)"
	chats, from := "SELECT "+has.columns(chatColumns[:])+", ", " FROM ("+candidates+") k CROSS JOIN chat c ON c.ROWID = k.id"
	whole = chats + "m.service" + from + " LEFT JOIN message m ON m.ROWID = (SELECT cm.message_id" + newest +
		" ORDER BY " + has.column("m.date") + " DESC, m.ROWID DESC, c.ROWID DESC"
	bare = chats + "NULL" + from + " ORDER BY (SELECT " + date + newest + " DESC, (SELECT cm.message_id" + newest + " DESC, c.ROWID DESC"
	return whole, bare
}

func (has schema) columns(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = has.column(name)
	}
	return strings.Join(list, ", ")
}

// others tells whether the events of a group name another person. On messages the
// column holds 0, which is not worth a look.
func (has schema) others() bool {
	return has["message"]["other_handle"] && has["message"]["item_type"]
}

// null is what a missing column reads as.
const null = "NULL"

// column gives null for a column that this schema lacks. ROWID is always there.
func (has schema) column(name string) string {
	table := map[string]string{"m": "message", "c": "chat", "a": "attachment", "h": "handle", "o": "handle"}
	alias, column, _ := strings.Cut(name, ".")
	if alias == "o" && !has.others() {
		return null
	}
	if column == "ROWID" || has[table[alias]][column] {
		return name
	}
	return null
}
