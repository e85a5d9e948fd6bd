package simulator_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/simulator"
)

// The test binary is all three programs: as osascript through the link, as
// the Messages process, and as the tests.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "osascript" {
		os.Exit(simulator.Osascript(os.Args[0], os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	if len(os.Args) > 2 && os.Args[1] == "simulate" {
		os.Exit(simulate(os.Args[2], os.Args[3:]))
	}
	// Children built with the race detector would sleep a second at their end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func simulate(what string, args []string) int {
	var opts simulator.Options
	flags := flag.NewFlagSet(what, flag.ContinueOnError)
	dir := flags.String("dir", "", "")
	flags.Float64Var(&opts.Speed, "speed", 0, "")
	flags.Uint64Var(&opts.Seed, "seed", 0, "")
	flags.StringVar(&opts.Number, "number", "", "")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	var err error
	switch what {
	case "messages":
		opts.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		err = simulator.RunMessages(context.Background(), *dir, os.Stdin, opts)
	case "parent": // starts Messages and hangs, to be killed
		if _, err = simulator.Start(context.Background(), self(), *dir, opts); err == nil {
			fmt.Println("started")
			select {}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func self() string {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return exe
}

const (
	testScript = "on run argv\n\treturn argv\nend run\n"
	patience   = 30 * time.Second // beyond it a test fails
)

// box is a folder with a simulated Messages in it.
type box struct {
	*simulator.Process
	dir string
	db  *sql.DB
}

func start(t *testing.T, opts simulator.Options) *box {
	t.Helper()
	b := &box{dir: t.TempDir()}
	b.start(t, opts)
	dsn := url.URL{Scheme: "file", Path: b.ChatDB(), RawQuery: "mode=ro&_busy_timeout=5000"}
	db, err := sql.Open("sqlite3", dsn.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b.db = db
	return b
}

// start runs Messages again in the same folder.
func (b *box) start(t *testing.T, opts simulator.Options) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := simulator.Start(ctx, self(), b.dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	b.Process = p
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = p.Stop(ctx) // a killed one says so
	})
}

func (b *box) stop(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// kill ends Messages as a crash does.
func (b *box) kill(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(b.pid(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := b.Wait(); err == nil {
		t.Fatal("a killed Messages ended without an error")
	}
}

func (b *box) pid(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, "messages.json"))
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Addr, Secret string
		PID          int
	}
	if err := json.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(a.Addr, "127.0.0.1:") || len(a.Secret) < 20 {
		t.Fatalf("messages.json is %+v", a)
	}
	return a.PID
}

// result is how a run of osascript ended.
type result struct {
	code   int
	stderr string
	stdout string
}

func (r result) marked() bool { return strings.HasPrefix(r.stderr, "bluerelay:dispatch\n") }

func (b *box) osascript(t *testing.T, args ...string) result {
	t.Helper()
	return b.script(t, testScript, append([]string{"-l", "AppleScript", "-"}, args...)...)
}

func (b *box) script(t *testing.T, script string, args ...string) result {
	t.Helper()
	r, err := runScript(t.Context(), b.Osascript(), script, args...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func runScript(ctx context.Context, program, script string, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(script)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		return result{}, err
	}
	return result{cmd.ProcessState.ExitCode(), stderr.String(), stdout.String()}, nil
}

// send is an ordinary text that has to be accepted.
func (b *box) send(t *testing.T, to, text string) {
	t.Helper()
	if r := b.osascript(t, "send-text", "iMessage", "participant", to, text); r.code != 0 || !r.marked() {
		t.Fatalf("osascript: %+v", r)
	}
}

// row is a message with its chat, where it has one.
type row struct {
	id                                              int64
	guid, text, service, caller, account, handle    string
	plain, chat                                     sql.NullString
	fromMe, sent, finished, delivered, read         bool
	date, dateDelivered, dateRead, code, handleID   int64
	chats, attachments, cacheAttachments, partCount int
}

func (b *box) rows(t *testing.T, where string, args ...any) []row {
	t.Helper()
	found, err := b.db.QueryContext(t.Context(), `SELECT m.ROWID, m.guid, m.attributedBody, m.service,
			m.destination_caller_id, m.account, coalesce(h.id, ''), m.text, c.guid,
			m.is_from_me, m.is_sent, m.is_finished, m.is_delivered, m.is_read,
			m.date, m.date_delivered, m.date_read, m.error, m.handle_id,
			(SELECT count(*) FROM chat_message_join WHERE message_id = m.ROWID),
			(SELECT count(*) FROM message_attachment_join WHERE message_id = m.ROWID),
			m.cache_has_attachments, m.part_count
		FROM message m
		LEFT JOIN handle h ON h.ROWID = m.handle_id
		LEFT JOIN chat_message_join j ON j.message_id = m.ROWID
		LEFT JOIN chat c ON c.ROWID = j.chat_id
		WHERE `+where+` ORDER BY m.ROWID`, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		var r row
		var body []byte
		if err := found.Scan(&r.id, &r.guid, &body, &r.service, &r.caller, &r.account, &r.handle,
			&r.plain, &r.chat, &r.fromMe, &r.sent, &r.finished, &r.delivered, &r.read,
			&r.date, &r.dateDelivered, &r.dateRead, &r.code, &r.handleID,
			&r.chats, &r.attachments, &r.cacheAttachments, &r.partCount); err != nil {
			t.Fatal(err)
		}
		if len(body) > 0 { // a ghost has none
			if r.text, err = simulator.TextOfBody(body); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// await looks until the newest row of handle satisfies is.
func (b *box) await(t *testing.T, what, handle string, is func(row) bool) row {
	t.Helper()
	var last row
	eventually(t, what, func() bool {
		rows := b.rows(t, "h.id = ?", handle)
		if len(rows) == 0 {
			return false
		}
		last = rows[len(rows)-1]
		return is(last)
	})
	return last
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	late := time.After(patience)
	for !is() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("waited %v for: %s", patience, what)
		}
	}
}

func (b *box) effects(t *testing.T) []simulator.Effect {
	t.Helper()
	effects, err := simulator.Effects(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	return effects
}
