package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// PostgreSQL finds texts by an index of its own on the column; what is too long for that
// is found by its beginning. In locale C it takes every character beyond ASCII for a letter,
// so that a word in quotation marks would be another word, and it keeps addresses, hosts,
// paths and signed numbers in one piece: punctuation is made blanks first, and what is left
// are the runs of letters and digits that Words makes of a question.
var (
	wordsPostgres = "to_tsvector('simple', TRANSLATE(LEFT(content, 50000), '" + strings.ReplaceAll(string(punctuation), "'", "''") + "', '" + strings.Repeat(" ", len(punctuation)) + "'))"
	indexPostgres = []string{
		"DROP INDEX IF EXISTS messages_texts", // as it was before punctuation was heeded
		"DROP INDEX IF EXISTS messages_words", // as it was before that of ASCII was
		"CREATE INDEX IF NOT EXISTS messages_runs ON messages USING gin (" + wordsPostgres + ")",
	}
)

// punctuation is what stands between words: that of ASCII, of Latin-1, of Unicode's
// general block and of East Asia. Emoji stay parts of words on PostgreSQL.
var punctuation = func() (list []rune) {
	for _, block := range [][2]rune{{'!', '~'}, {0xa0, 0xbf}, {0x2000, 0x206f}, {0x3000, 0x303f}, {0xff00, 0xff65}} {
		for c := block[0]; c <= block[1]; c++ {
			if !unicode.In(c, unicode.L, unicode.N, unicode.Mn, unicode.Co) {
				list = append(list, c)
			}
		}
	}
	return list
}()

// The index of texts is SQLite's own full-text search (FTS4: FTS5 needs a build tag). A
// row's docid is the account's ordinal above docidBits bits of the message's number, so
// that an account's texts are one stretch of it, and none of another's is read for a
// search. Merging is spread over the writes.
const (
	docidBits = 40

	createTexts = `CREATE VIRTUAL TABLE message_texts USING fts4(content, matchinfo=fts3, tokenize=unicode61)`
	spreadMerge = `INSERT INTO message_texts (message_texts) VALUES ('automerge=8')`
	fillTexts   = `INSERT INTO message_texts (docid, content) SELECT a.ordinal * 1099511627776 + m.seq, m.content
		FROM messages AS m JOIN accounts AS a ON a.id = m.account_id WHERE m.content <> '' AND m.class > 0`
	addText    = `INSERT INTO message_texts (docid, content) VALUES ($1, $2)`
	removeText = `DELETE FROM message_texts WHERE docid = $1`
)

// prepareSearch makes the index of texts where there is none, of all messages that there
// are.
func prepareSearch(ctx context.Context, db *sql.DB, e *engine) error {
	if e.server {
		for _, statement := range indexPostgres {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
	var n int
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'message_texts'").Scan(&n); err != nil || n > 0 {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	for _, statement := range []string{createTexts, spreadMerge, fillTexts} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// messageText is what a message is to be found by from a commit on, "" for nothing.
type messageText struct {
	accountID string
	seq       int64
	text      string
	had       bool // something is in the index already
}

// text notes what a message is to be found by. The index is written once for all that
// share the commit: it begins a new part of itself at each savepoint.
func (tx *Tx) text(m Message, text string, had bool) {
	if text != "" || had {
		tx.job.texts = append(tx.job.texts, messageText{m.AccountID, m.Seq, text, had})
	}
}

// index writes the texts that a group of writers has noted.
func (w *writer) index(ctx context.Context, group []*job) error {
	if w.engine.server {
		return nil
	}
	last := make(map[int64]messageText)
	ordinals := make(map[string]int64)
	for _, j := range group {
		if j.err != nil {
			continue
		}
		for _, t := range j.texts {
			ordinal, ok := ordinals[t.accountID]
			if !ok {
				if err := w.stmts.row(ctx, "SELECT ordinal FROM accounts WHERE id = $1", t.accountID).Scan(&ordinal); err != nil {
					return err
				}
				ordinals[t.accountID] = ordinal
			}
			id := ordinal<<docidBits | t.seq
			if before, twice := last[id]; twice {
				t.had = before.had
			}
			last[id] = t
		}
	}
	for _, id := range slices.Sorted(maps.Keys(last)) {
		if last[id].had {
			if _, err := w.stmts.exec(ctx, removeText, id); err != nil {
				return err
			}
		}
		if last[id].text != "" {
			if _, err := w.stmts.exec(ctx, addText, id, last[id].text); err != nil {
				return err
			}
		}
	}
	return nil
}

// Words are those of a text that messages can be found by: runs of letters and digits.
func Words(text string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.N, unicode.Mn, unicode.Co) })
	return slices.DeleteFunc(words, func(word string) bool {
		return !strings.ContainsFunc(word, func(r rune) bool { return unicode.In(r, unicode.L, unicode.N) })
	})
}

// found writes into a statement how the filter's words are found, and looks whether that
// is much.
func (r reader) found(ctx context.Context, q *query) error {
	f := q.filter
	if f.Text == "" {
		return nil
	}
	ordinal, err := scanInt(r.stmts.row(ctx, "SELECT ordinal FROM accounts WHERE id = $1", f.AccountID))
	if err != nil {
		return err
	}
	first, words := ordinal<<docidBits, r.stmts.engine.match(Words(f.Text))
	n, err := scanInt(r.stmts.row(ctx, "SELECT COUNT(*) FROM ("+fmt.Sprintf(r.stmts.engine.findTexts, "$1", "$2", "$3")+" LIMIT $4) AS hits", first, words, first|(1<<docidBits-1), few+1))
	if err != nil {
		return err
	}
	q.manyTexts = n > few
	q.texts = fmt.Sprintf(r.stmts.engine.findTexts, q.place(first), q.place(words), q.place(first|(1<<docidBits-1)))
	return nil
}

func scanInt(r scanner) (n int64, err error) {
	err = r.Scan(&n)
	return n, err
}
