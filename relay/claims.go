package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/mattn/go-sqlite3"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// claims is what the daemon's journal says at one instant of the rows that the daemon
// accounts for itself. Any other row up to its cursor it has reported and the cloud
// has it, or it has decided not to report it.
type claims struct {
	cursor cursor
	rows   map[int64]bool  // passed by and still waited for
	guids  map[string]bool // bound to a send, or in the outbox
	wrote  map[string]bool // handles that the API has written to, in lower case
}

// holds tells whether a row is the daemon's. A row without a guid, of damaged pages, is
// known by its ROWID alone.
func (c claims) holds(m chatdb.Message) bool {
	return c.rows[m.RowID] || m.GUID != "" && c.guids[m.GUID]
}

// readClaims reads the journal beside the daemon that owns it.
func readClaims(ctx context.Context, dir string) (claims, error) {
	c, err := readClaimsFrom(ctx, filepath.Join(dir, "journal.db"))
	if err != nil {
		return c, fmt.Errorf("read the relay's journal: %w", err)
	}
	if c.cursor == (cursor{}) {
		return c, errors.New("the relay has not read chat.db yet: start it with `bluerelay run`, then import")
	}
	return c, nil
}

func readClaimsFrom(ctx context.Context, path string) (c claims, err error) {
	c.rows, c.guids, c.wrote = make(map[int64]bool), make(map[string]bool), make(map[string]bool)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	db := sql.OpenDB(connector{"file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=ro&_query_only=1&_busy_timeout=5000", &sqlite3.SQLiteDriver{}})
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil) // one instant for all that follows
	if err != nil {
		return c, err
	}
	defer tx.Rollback()
	err = eachValue(ctx, tx, "SELECT value FROM meta WHERE key = '"+metaCursor+"'", func(v string) error { return json.Unmarshal([]byte(v), &c.cursor) })
	if err != nil {
		return c, err
	}
	if err := eachValue(ctx, tx, "SELECT rowid_ FROM waiting", func(id int64) error { c.rows[id] = true; return nil }); err != nil {
		return c, err
	}
	if err := eachValue(ctx, tx, "SELECT guid FROM sends WHERE guid IS NOT NULL", func(guid string) error { c.guids[guid] = true; return nil }); err != nil {
		return c, err
	}
	if err := eachValue(ctx, tx, "SELECT handle FROM wrote", func(h string) error { c.wrote[strings.ToLower(h)] = true; return nil }); err != nil {
		return c, err
	}
	return c, eachValue(ctx, tx, "SELECT report FROM outbox", func(data string) error {
		var r wire.Report
		if err := json.Unmarshal([]byte(data), &r); err != nil {
			return err
		}
		c.guids[r.GUID] = true
		for _, guid := range r.Rows {
			c.guids[guid] = true
		}
		return nil
	})
}

// eachValue hands the single column of each row to fn.
func eachValue[T any](ctx context.Context, tx *sql.Tx, query string, fn func(T) error) error {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return err
		}
		if err := fn(v); err != nil {
			return err
		}
	}
	return rows.Err()
}
