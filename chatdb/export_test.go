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

// Plans are SQLite's plans of the statements that run on the way of a message.
func Plans(ctx context.Context, db *DB) (plans []string) {
	for _, q := range []query{queryGUIDAt, queryAfter, queryBefore, queryRows, queryGUIDs, queryDated, queryStates,
		queryOwnSince, queryChats, queryTrash, queryAttachments, queryAttachmentGUIDs, queryDirectChats} {
		sql := strings.NewReplacer("?1", "NULL", "?2", "NULL").Replace(db.session.sql[q])
		err := db.session.text(ctx, "EXPLAIN QUERY PLAN "+sql, func(r row) { plans = append(plans, r.text(3)) })
		if err != nil {
			plans = append(plans, "SCAN: "+err.Error())
		}
	}
	return plans
}
