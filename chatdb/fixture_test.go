package chatdb_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"bluerelay/chatdb"
)

// childRole, set in the environment, makes the test binary play another
// process: a writer like Messages, or a reader with another user's rights.
const childRole = "CHATDB_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childRole) {
	case "writer":
		os.Exit(runWriter(os.Args[1]))
	case "reader":
		os.Exit(runReader(os.Args[1]))
	}
	os.Exit(m.Run())
}

// values is one row of a fixture, by column.
type values map[string]any

// fixture is a chat.db in a temporary folder and a connection that writes to
// it as Messages would.
type fixture struct {
	t       testing.TB
	path    string
	db      *sql.DB
	columns map[string][]string
}

const projectSchema = "testdata/schema-macos26.6.2.sql"

// newFixture makes an empty chat.db with the newest schema.
func newFixture(t testing.TB) *fixture {
	t.Helper()
	return newFixtureAt(t, filepath.Join(t.TempDir(), "chat.db"), readSchema(t, projectSchema))
}

func newFixtureAt(t testing.TB, path, schema string) *fixture {
	t.Helper()
	f := &fixture{t: t, path: path, columns: make(map[string][]string)}
	f.db = openWriter(t, path)
	f.exec("PRAGMA journal_mode=WAL")
	f.exec(schema)
	return f
}

// openWriter opens one writing connection.
func openWriter(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

var (
	triggers       = regexp.MustCompile(`(?is)CREATE TRIGGER.*?\bEND\s*;`)
	internalTables = regexp.MustCompile(`(?i)CREATE TABLE sqlite_(sequence|stat1)\s*\([^;]*;`)
)

// readSchema drops what only Messages can run, and SQLite's own tables.
func readSchema(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return internalTables.ReplaceAllString(triggers.ReplaceAllString(string(b), ""), "")
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	if _, err := f.db.Exec(query, args...); err != nil {
		f.t.Fatalf("%.80s: %v", query, err)
	}
}

// insert leaves out the columns that this schema does not have.
func (f *fixture) insert(table string, row values) int64 {
	f.t.Helper()
	query, args := f.insertion(table, row)
	result, err := f.db.Exec(query, args...)
	if err != nil {
		f.t.Fatal(err)
	}
	id, err := result.LastInsertId()
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

func (f *fixture) insertion(table string, row values) (query string, args []any) {
	f.t.Helper()
	var names, marks []string
	for name, value := range row {
		if slices.Contains(f.columnsOf(table), name) || name == "ROWID" {
			names, marks, args = append(names, name), append(marks, "?"), append(args, value)
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ","), strings.Join(marks, ",")), args
}

func (f *fixture) columnsOf(table string) []string {
	f.t.Helper()
	if f.columns[table] == nil {
		rows, err := f.db.Query("SELECT name FROM pragma_table_info(?)", table)
		if err != nil {
			f.t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				f.t.Fatal(err)
			}
			f.columns[table] = append(f.columns[table], name)
		}
		if err := rows.Err(); err != nil {
			f.t.Fatal(err)
		}
	}
	return f.columns[table]
}

// message adds a row with text in its body, as macOS 13 and later write it.
func (f *fixture) message(guid, text string, more values) int64 {
	f.t.Helper()
	row := values{"guid": guid, "service": "iMessage", "date": date(100), "attributedBody": plainBody(text)}
	maps.Copy(row, more)
	return f.insert("message", row)
}

// handle and chat give the ROWID of a new row.
func (f *fixture) handle(id, service string) int64 {
	f.t.Helper()
	return f.insert("handle", values{"id": id, "service": service})
}

func (f *fixture) chat(guid string, style int) int64 {
	f.t.Helper()
	parts := strings.Split(guid, ";")
	return f.insert("chat", values{"guid": guid, "style": style, "chat_identifier": parts[2], "service_name": parts[0]})
}

func (f *fixture) join(chat, message int64) {
	f.t.Helper()
	f.exec("INSERT INTO chat_message_join (chat_id, message_id) VALUES (?, ?)", chat, message)
	if slices.Contains(f.columnsOf("chat_message_join"), "message_date") {
		f.exec("UPDATE chat_message_join SET message_date = (SELECT date FROM message WHERE ROWID = message_id) WHERE message_id = ?", message)
	}
}

func (f *fixture) attachment(guid string, more values) int64 {
	f.t.Helper()
	row := values{"guid": guid, "original_guid": guid}
	maps.Copy(row, more)
	return f.insert("attachment", row)
}

// open opens the fixture for reading.
func (f *fixture) open() *chatdb.DB {
	f.t.Helper()
	return open(f.t, f.path)
}

func open(t testing.TB, path string) *chatdb.DB {
	t.Helper()
	db, err := chatdb.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// date is a column value: seconds after a day in 2023, in nanoseconds since
// 2001. at is the same as a time.
func date(seconds int64) int64 { return (700_000_000 + seconds) * 1e9 }

func at(seconds int64) time.Time {
	return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(date(seconds)))
}

// child is the test binary as another process, told what to do line by line.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// statement is one line to a writer. Blobs travel as base64 in args under a
// prefix.
type statement struct {
	SQL  string `json:"sql"`
	Args []any  `json:"args"`
}

const base64Prefix = "base64:"

// newWriter starts a process that writes to the database at path.
func newWriter(t testing.TB, path string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), childRole+"=writer")
	return startChild(t, cmd)
}

func startChild(t testing.TB, cmd *exec.Cmd) *child {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{t: t, cmd: cmd, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(c.stop)
	return c
}

// do has the child run one statement and waits for its answer.
func (c *child) do(query string, args ...any) {
	c.t.Helper()
	c.send(query, args...)
	c.answer()
}

func (c *child) send(query string, args ...any) {
	c.t.Helper()
	for i, arg := range args {
		if b, ok := arg.([]byte); ok {
			args[i] = base64Prefix + base64.StdEncoding.EncodeToString(b)
		}
	}
	line, err := json.Marshal(statement{query, args})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) answer() {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatal("child ended")
	}
	if c.out.Text() != "ok" {
		c.t.Fatal(c.out.Text())
	}
}

// stop ends the child and waits for it.
func (c *child) stop() {
	c.in.Close()
	_ = c.cmd.Wait()
}

// kill ends the child as a crash would: it leaves its -wal behind.
func (c *child) kill() {
	_ = c.cmd.Process.Signal(syscall.SIGKILL)
	_ = c.cmd.Wait()
}

func runWriter(path string) int {
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var s statement
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			fmt.Println(err)
			return 1
		}
		for i, arg := range s.Args {
			if text, ok := arg.(string); ok && strings.HasPrefix(text, base64Prefix) {
				s.Args[i], _ = base64.StdEncoding.DecodeString(strings.TrimPrefix(text, base64Prefix))
			}
		}
		if _, err := db.Exec(s.SQL, s.Args...); err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("ok")
	}
	return 0
}

// runReader says which kind of failure this process meets.
func runReader(path string) int {
	db, err := chatdb.Open(context.Background(), path)
	fmt.Println(kindOf(err))
	if err == nil {
		db.Close()
	}
	return 0
}
