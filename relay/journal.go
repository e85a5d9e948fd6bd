package relay

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/fault"
)

// journal is the relay's memory on disk: what it was ordered to send and how far
// each order has come, what it has to report and has not been acknowledged, and
// how far it has read in chat.db. Every method that changes something is one
// transaction and returns only when that is on disk.
//
// It is safe for concurrent use; one connection serialises everything.
type journal struct {
	db     *sql.DB
	failed func(error) // unless nil, told of each write that is errUnwritten
	// made are the newest runs of earlier processes, by their id: set by openJournal.
	made map[string]applescript.Run
	// adopted tells that runs were taken for begun whose end is to be found out.
	adopted atomic.Bool
}

const journalSchema = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE orders (
	message     TEXT PRIMARY KEY,
	seq         INTEGER NOT NULL,
	handle      TEXT NOT NULL,
	chat        TEXT NOT NULL DEFAULT '',
	service     TEXT NOT NULL,
	file        TEXT NOT NULL DEFAULT '',
	staged      TEXT NOT NULL DEFAULT '',
	received_at INTEGER NOT NULL,
	expires_at  INTEGER NOT NULL DEFAULT 0,
	told        TEXT NOT NULL DEFAULT '',
	final_seq   INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX orders_age ON orders (received_at);

CREATE TABLE sends (
	message    TEXT NOT NULL REFERENCES orders (message) ON DELETE CASCADE,
	part       TEXT NOT NULL,
	attempt    INTEGER NOT NULL,
	state      TEXT NOT NULL,
	text       TEXT NOT NULL,
	run        INTEGER NOT NULL DEFAULT 0,
	tries      INTEGER NOT NULL DEFAULT 0,
	retry_at   INTEGER NOT NULL DEFAULT 0,
	via        TEXT NOT NULL DEFAULT '',
	kind       TEXT NOT NULL DEFAULT '',
	target     TEXT NOT NULL DEFAULT '',
	no_chat    INTEGER NOT NULL DEFAULT 0,
	mark_rowid INTEGER NOT NULL DEFAULT 0,
	mark_guid  TEXT NOT NULL DEFAULT '',
	mark_file  TEXT NOT NULL DEFAULT '',
	armed_at   INTEGER NOT NULL DEFAULT 0,
	ended_at   INTEGER NOT NULL DEFAULT 0,
	settle_at  INTEGER NOT NULL DEFAULT 0,
	fault      TEXT NOT NULL DEFAULT '',
	again      INTEGER NOT NULL DEFAULT 0,
	guid       TEXT UNIQUE,
	rowid_     INTEGER NOT NULL DEFAULT 0,
	seen       TEXT NOT NULL DEFAULT '{}',
	PRIMARY KEY (message, part, attempt)
);
CREATE INDEX sends_state ON sends (state);

CREATE TABLE outbox (
	seq    INTEGER PRIMARY KEY AUTOINCREMENT,
	at     INTEGER NOT NULL,
	report TEXT NOT NULL
);

CREATE TABLE waiting (
	rowid_     INTEGER PRIMARY KEY,
	first_seen INTEGER NOT NULL
);

CREATE TABLE watched (
	guid   TEXT PRIMARY KEY,
	rowid_ INTEGER NOT NULL,
	own    INTEGER NOT NULL,
	until  INTEGER NOT NULL,
	seen   TEXT NOT NULL
);
CREATE INDEX watched_row ON watched (rowid_);
` + uploadsSchema + `
PRAGMA user_version = 1;
`

// openJournal opens or creates the journal in dir. A new journal is a new install.
func openJournal(ctx context.Context, dir string) (*journal, error) {
	path := filepath.Join(dir, "journal.db")
	if err := keepPrivate(path); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	db, err := openSQLite(path)
	if err != nil {
		return nil, fmt.Errorf("open the journal %s: %w", path, err)
	}
	j := &journal{db: db}
	if err = j.init(ctx); err == nil {
		err = j.adopt(ctx, filepath.Join(dir, sendsFolder))
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("open the journal %s: %w", path, err)
	}
	return j, nil
}

// keepPrivate makes the file before SQLite does, because the files beside it, which
// hold message text too, get its mode. A file that exists is not opened: closing it
// would drop the locks that this process may have on it.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.Chmod(path, 0o600)
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// openSQLite opens one connection that waits for the disk at each commit. On macOS
// a plain fsync does not reach the platter, hence the two full-fsync pragmas; they
// do nothing elsewhere.
func openSQLite(path string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_foreign_keys=1&_txlock=immediate"
	db := sql.OpenDB(connector{dsn, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		_, err := c.Exec("PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1", nil)
		return err
	}}})
	db.SetMaxOpenConns(1)
	return db, nil
}

type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

func (j *journal) init(ctx context.Context) error {
	var version int
	if err := j.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	switch version {
	case 0:
		return j.write(ctx, fault.RelayBorn, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, journalSchema+wroteSchema+silentSchema); err != nil {
				return err
			}
			return setMeta(ctx, tx, metaInstall, newInstallID())
		})
	case 1:
		return j.write(ctx, "", func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, wroteSchema+silentSchema)
			return err
		})
	}
	return fmt.Errorf("it was written by a newer bluerelay (version %d): update this one", version)
}

func newInstallID() string { return "ins_" + strings.ToLower(rand.Text()) }

func (j *journal) close() error { return j.db.Close() }

// errUnwritten says that the journal could not be written: its disk is full, its folder
// is not ours to write any more, or the like. It does not say what is wrong with whatever
// was to be written.
var errUnwritten = errors.New("the journal cannot be written")

// write runs fn in one transaction, which is the step that point names, "" for one of
// no name. The context that fn gets is never cancelled: a
// write that has begun is finished, because half-told facts help nobody. An error is
// errUnwritten or one of fn's own.
func (j *journal) write(ctx context.Context, point fault.Point, fn func(context.Context, *sql.Tx) error) error {
	err := j.commit(context.WithoutCancel(ctx), point, fn)
	if e, ok := errors.AsType[sqlite3.Error](err); !ok || e.Code == sqlite3.ErrConstraint {
		return err
	}
	if j.failed != nil {
		j.failed(err)
	}
	return fmt.Errorf("%w: %w", errUnwritten, err)
}

func (j *journal) commit(ctx context.Context, point fault.Point, fn func(context.Context, *sql.Tx) error) error {
	tx, err := j.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	defer tx.Rollback()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	fault.Before(point)
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	fault.After(point)
	return nil
}

// Keys of the meta table.
const (
	metaInstall  = "install"
	metaCursor   = "cursor"
	metaCopy     = "copy"     // there is another life of this journal, and the cloud knows that one
	metaIntent   = "intent"   // a pairing that is under way, or was cut off
	metaOwner    = "owner"    // whose the journal is, see Credential.owner
	metaRetired  = "retired"  // another Mac has taken this one's place
	metaRevivals = "revivals" // when Messages was started, JSON of Unix ms
	metaTrial    = "trial"    // there for the moment in which it is tried whether a disk has room
	metaNotices  = "notices"  // when problems were shown on the screen, JSON of problem to Unix ms
)

func setMeta(ctx context.Context, tx *sql.Tx, key, value string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
	return err
}

func (j *journal) meta(ctx context.Context, key string) (string, error) {
	var v string
	err := j.db.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return v, err
}

// install is the identity of this journal.
func (j *journal) install(ctx context.Context) (string, error) { return j.meta(ctx, metaInstall) }

// renew gives the journal a new identity and owner, for a new pairing. What the former
// pairing ordered and had not begun is dropped, because its cloud no longer counts
// on it. Where the same line is paired with the same cloud again, what there is to
// report, how far chat.db was read and whom the API has written to stay; for anybody else
// they are not meant. Where nothing was read, or it does not count, chat.db is read from
// the mark on, if there is one.
func (j *journal) renew(ctx context.Context, owner string, same bool, mark *cursor, now time.Time) error {
	return j.write(ctx, fault.RelayRenew, func(ctx context.Context, tx *sql.Tx) error {
		forget := []string{"DELETE FROM orders WHERE NOT EXISTS (SELECT 1 FROM sends WHERE sends.message = orders.message AND state != '" + stateReceived + "')"}
		if !same {
			forget = []string{"DELETE FROM orders", "DELETE FROM wrote", "DELETE FROM outbox", "DELETE FROM waiting", "DELETE FROM uploads", "DELETE FROM watched", "DELETE FROM meta WHERE key = '" + metaCursor + "'"}
		}
		for _, q := range forget {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return fmt.Errorf("renew the journal: %w", err)
			}
		}
		if err := fence(ctx, tx, now); err != nil {
			return err
		}
		if err := firstMark(ctx, tx, mark); err != nil {
			return err
		}
		for key, value := range map[string]string{metaCopy: "", metaRetired: "", metaIntent: "", metaOwner: owner, metaInstall: newInstallID()} {
			if err := setMeta(ctx, tx, key, value); err != nil {
				return err
			}
		}
		return nil
	})
}

// cursor is how far chat.db has been read. Where it could not be read at the pairing, the
// mark names no file: then it is read from the pairing on, by its dates.
type cursor struct {
	chatdb.Mark
	// Floor is the time in Unix ms before which a row is history, not news: the
	// pairing, or shortly before chat.db was replaced.
	Floor int64 `json:"floor"`
	// Seen is when chat.db was last read to its end, Unix ms.
	Seen int64 `json:"seen"`
	// Down and Up are when the last down time began and ended, Unix ms.
	Down int64 `json:"down,omitzero"`
	Up   int64 `json:"up,omitzero"`
}

// cursor returns nil where chat.db was never read.
func (j *journal) cursor(ctx context.Context) (*cursor, error) {
	v, err := j.meta(ctx, metaCursor)
	if err != nil || v == "" {
		return nil, err
	}
	var c cursor
	if err := json.Unmarshal([]byte(v), &c); err != nil {
		return nil, fmt.Errorf("read the cursor: %w", err)
	}
	return &c, nil
}

func setCursor(ctx context.Context, tx *sql.Tx, c cursor) error {
	v, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return setMeta(ctx, tx, metaCursor, string(v))
}

// firstMark has chat.db read from the mark on, if it was not read before.
func firstMark(ctx context.Context, tx *sql.Tx, mark *cursor) error {
	if mark == nil {
		return nil
	}
	v, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", metaCursor, string(v))
	return err
}

func (j *journal) setCursor(ctx context.Context, c cursor) error {
	return j.write(ctx, fault.RelayMark, func(ctx context.Context, tx *sql.Tx) error { return setCursor(ctx, tx, c) })
}

// waitingRow is a row of chat.db that was passed by before it was complete.
type waitingRow struct {
	rowid     int64
	firstSeen time.Time
}

func (j *journal) waiting(ctx context.Context) ([]waitingRow, error) {
	rows, err := j.db.QueryContext(ctx, "SELECT rowid_, first_seen FROM waiting ORDER BY rowid_")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []waitingRow
	for rows.Next() {
		var w waitingRow
		var ms int64
		if err := rows.Scan(&w.rowid, &ms); err != nil {
			return nil, err
		}
		w.firstSeen = time.UnixMilli(ms)
		list = append(list, w)
	}
	return list, rows.Err()
}
