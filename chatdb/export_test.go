package chatdb

import (
	"context"
	"strings"
)

// NewDeafWatcher watches without file events.
var NewDeafWatcher = newDeafWatcher

// Look is one look of a Watcher.
func Look(ctx context.Context, w *Watcher) error {
	_, err := w.look(ctx)
	return err
}

// ParseSummary is the reader of message_summary_info.
func ParseSummary(data []byte) (edits []Edit, unsent []int, err error) {
	s, err := parseSummary(data)
	return s.edits, s.unsent, err
}

// Meaning is a message of nothing but what is read out of these columns.
func Meaning(item, action, associated int, who, other, title, guid, part, emoji string) Message {
	m := Message{ItemType: item, AssociatedType: associated, AssociatedGUID: guid, Handle: who}
	m.Event = groupEventOf(item, action, who, other, title)
	m.Tapback = tapbackOf(associated, guid, emoji)
	m.Reply = replyOf(guid, part)
	return m
}

// Plans are SQLite's plans of the statements that run on the way of a message.
func Plans(ctx context.Context, db *DB) (plans []string) {
	for _, q := range []query{queryGUIDAt, queryRowIDOf, queryAfter, queryBefore, queryRow, queryGUID, queryDated, queryDatedIDs, queryStates,
		queryOwnSince, querySinceIDs, queryTrash, queryAttachments, queryAttachment, queryDirectChats, queryBareChats, queryChatGUID} {
		sql := strings.NewReplacer("?1", "NULL", "?2", "NULL").Replace(db.session.sql[q])
		err := db.session.text(ctx, "EXPLAIN QUERY PLAN "+sql, func(r row) { plans = append(plans, r.text(3)) })
		if err != nil {
			plans = append(plans, "SCAN: "+err.Error())
		}
	}
	return plans
}
