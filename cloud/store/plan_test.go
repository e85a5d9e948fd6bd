package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// Every statement that looks for messages finds them by an index, whatever a
// client filters by.
func TestMessagesAreNeverScanned(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	reads := []func(reader) error{
		func(r reader) error { _, err := r.Waiting(ctx, "l", 100); return err },
		func(r reader) error { _, err := r.Assigned(ctx, "i", "l"); return err },
		func(r reader) error { _, err := r.StaleUnknown(ctx, 1, 100); return err },
		func(r reader) error { _, err := r.Overdue(ctx, "", 1, 100); return err },
		func(r reader) error { _, err := r.Overdue(ctx, "l", 1, 100); return err },
		func(r reader) error { _, err := r.CountHeld(ctx, "l"); return err },
		func(r reader) error { _, err := r.HeldNews(ctx, "l"); return err },
		func(r reader) error { _, err := r.Opened(ctx, "l", 1); return err },
		func(r reader) error { _, err := r.Opens(ctx, "m"); return ignoreMissing(err) },
		func(r reader) error {
			_, err := r.Before(ctx, Message{LineID: "l", Peer: "p", Seq: 2})
			return ignoreMissing(err)
		},
		func(r reader) error { _, err := r.Resends(ctx, "a", "m"); return err },
		func(r reader) error { _, err := r.Timeline(ctx, Message{ID: "m", AccountID: "a"}); return err },
		func(r reader) error { _, err := r.OldestRemembered(ctx); return err },
		func(r reader) error {
			_, err := r.Rivals(ctx, Message{AccountID: "a", LineID: "l", Peer: "p", InstallID: "i"}, 1)
			return err
		},
		func(r reader) error { _, err := r.HasGUID(ctx, "l", "g"); return err },
		func(r reader) error { _, err := r.MessageByRow(ctx, "l", "g"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.CountByLine(ctx, "a", 1); return err },
		func(r reader) error { _, err := r.SentInMonth(ctx, "a", 1); return ignoreMissing(err) },
		func(r reader) error { _, err := r.Asides(ctx, "m"); return err },
		func(r reader) error { _, err := r.Parts(ctx, "m"); return err },
		func(r reader) error { _, err := r.Part(ctx, "m", 2); return ignoreMissing(err) },
		func(r reader) error { _, err := r.NthOutbound(ctx, "a", 5, 1, true); return ignoreMissing(err) },
		func(r reader) error { _, err := r.DueDeliveries(ctx, "w", 1, 10); return err },
		func(r reader) error { _, err := r.Deliveries(ctx, "w", nil, 10); return err },
		func(r reader) error { _, err := r.Told(ctx, "a", "d", 1, 10); return err },
		func(r reader) error { _, _, err := r.EventsBefore(ctx, "a", 1, 10); return err },
		func(r reader) error { _, err := r.DueWebhooks(ctx, 1); return err },
		func(r reader) error { _, err := r.RemovedWebhooks(ctx, 10); return err },
		func(r reader) error { _, err := r.LineStates(ctx); return err },
		func(r reader) error { _, err := r.CountUnknown(ctx); return err },
		func(r reader) error { _, err := r.CountPending(ctx); return err },
		func(r reader) error { _, err := r.Deliveries(ctx, "w", &Delivery{}, 10); return err },
		func(r reader) error { _, err := r.Delivery(ctx, "w", "d"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.DeliveryOf(ctx, "w", "e"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.ToldEvent(ctx, "a", "d", "e"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.EventID(ctx, "a", 1); return ignoreMissing(err) },
		func(r reader) error { _, err := r.FirstEventSince(ctx, "a", 1); return err },
		func(r reader) error { _, err := r.HasGroup(ctx, "l", "c"); return err },
		func(r reader) error { _, err := r.HasMessage(ctx, "m"); return err },
		func(r reader) error { _, err := r.HasOrphans(ctx, 1); return err },
		func(r reader) error { _, err := r.DueFetches(ctx, 1, 10, []string{"h"}, []string{"a"}); return err },
		func(r reader) error { _, err := r.LateFetches(ctx, 1, 10); return err },
		func(r reader) error { _, err := r.ExpiredMedia(ctx, 1, 10); return err },
		func(r reader) error { _, err := r.Outgoing(ctx, "m"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.OpenTo(ctx, "l", "p", 100); return err },
		func(r reader) error { _, err := r.OptedOut(ctx, "a", "p", "q"); return err },
		func(r reader) error { _, err := r.Endings(ctx, 10); return err },
		func(r reader) error { _, err := r.LastFrom(ctx, "a", "p"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.LastTo(ctx, "a", "p"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.Participants(ctx, GroupKey{"l", "c"}); return err },
		func(r reader) error { _, err := r.Participants(ctx, make([]GroupKey, 100)...); return err },
		func(r reader) error { _, err := r.GroupNames(ctx, GroupKey{"l", "c"}); return err },
		func(r reader) error { _, err := r.GroupNames(ctx, make([]GroupKey, 100)...); return err },
		func(r reader) error { _, _, err := r.GroupSpan(ctx, "l", "c"); return err },
		func(r reader) error { _, err := r.GroupChanges(ctx, "l", "c"); return err },
		func(r reader) error { _, err := r.Contact(ctx, "a", "p"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.ContactByID(ctx, "a", "i"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.Contacts(ctx, ContactFilter{AccountID: "a", Limit: 1}); return err },
		func(r reader) error {
			_, err := r.Contacts(ctx, ContactFilter{AccountID: "a", ID: "i", Address: "p", ByAddress: true, Descending: true, Limit: 1})
			return err
		},
		func(r reader) error { _, err := r.CountContacts(ctx, "a"); return err },
		func(r reader) error { _, err := r.UploadByToken(ctx, "t"); return ignoreMissing(err) },
		func(r reader) error { _, err := r.UploadedBytes(ctx, "a"); return err },
		func(r reader) error { _, err := r.ExpiredUploads(ctx, 1, 10); return err },
	}
	for _, read := range reads {
		if err := read(s.reader); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(ctx, func(tx *Tx) error {
		for _, opening := range []int{-1, 0, 5} {
			if _, err := tx.Assign("l", "i", Room{Window: 4, Now: 4, Opening: opening}, 1); err != nil {
				return err
			}
		}
		if _, _, err := tx.RequestCancel(Message{ID: "m"}, 1); err != nil {
			return err
		}
		if err := tx.Forget(1, 100); err != nil {
			return err
		}
		if err := tx.RemoveEvents("a", 1); err != nil {
			return err
		}
		if err := tx.RemovePending("w", 1); ignoreMissing(err) != nil {
			return err
		}
		_, _, err := tx.Advance(Step{ID: "m", To: wire.StatusSent})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	neverScanned(t, s, func(q string) bool { return strings.Contains(q, "FROM messages") && strings.Contains(q, "ORDER BY") })
	neverWhole(t, s)
}

// Pages and totals of lists, by filters of every kind and for accounts of every size, are
// read from indexes, and only what is few is sorted.
func TestListsAreNeverScanned(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.stmts.most = math.MaxInt
	const frequent, rare = 1_000_000, 10
	if err := s.Write(ctx, func(tx *Tx) error {
		err := tx.CreateAccount(Account{ID: "team_a"})
		for i, number := range []string{"+1", "+2"} {
			err = errors.Join(err, tx.CreateLine(Line{ID: number, AccountID: "team_a", PhoneNumber: number}))
			ordinal := int64(i + 1)
			for _, phase := range []int64{5, 6, 7, 10} {
				class := ordinal*classCodes + 16 + phase
				if phase != 10 {
					class |= classOutbound
				}
				for day, n := range map[int64]int64{1: rare, 2: frequent, 3: rare} { // of which an offset skips one
					m := Message{AccountID: "team_a", CreatedAt: day * dayLength, DatedAt: day * dayLength, UpdatedAt: day * dayLength}
					tx.count(m, class, n)
					tx.count(m, class|classAside, rare)
					tx.count(m, class|classGroup, rare)
				}
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	days := Span{1, 3*dayLength + 9}
	filters := []func(*MessageFilter){
		func(f *MessageFilter) { f.From = "+9" }, func(f *MessageFilter) { f.From = "+1" }, func(f *MessageFilter) { f.To = "+2" }, func(f *MessageFilter) { f.Number = "+9" },
		func(f *MessageFilter) { f.Line = "+1" }, func(f *MessageFilter) { f.Direction = Inbound }, func(f *MessageFilter) { f.Type = TypeGroup }, func(f *MessageFilter) { f.Group = "chat" },
		func(f *MessageFilter) { f.Phases = []Phase{PhaseAccepted, PhaseSent} }, func(f *MessageFilter) { f.Service = wire.ServiceIMessage }, func(f *MessageFilter) { f.Asides = true },
		func(f *MessageFilter) { f.Created = days }, func(f *MessageFilter) { f.Sent = days }, func(f *MessageFilter) { f.Updated = days },
		func(f *MessageFilter) { f.Text = "hello" }, func(f *MessageFilter) { f.Offset = 10_000 }, func(f *MessageFilter) { f.Before = &Message{CreatedAt: 1, Seq: 1} },
	}
	for _, order := range []Order{ByCreated, BySent, ByUpdated} {
		for i := range filters {
			for j := i; j < len(filters); j++ {
				f := MessageFilter{AccountID: "team_a", Limit: 51, Order: order, Ascending: (i+j)%2 == 0}
				filters[i](&f)
				filters[j](&f)
				if _, err := s.Messages(ctx, f); err != nil {
					t.Fatal(err)
				}
				if f.Before == nil {
					if _, _, err := s.Page(ctx, f); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	neverScanned(t, s, func(q string) bool {
		few := strings.Contains(q, "WHERE class IN") || strings.Contains(q, "SELECT +") || strings.Contains(q, "AS found CROSS JOIN")
		return strings.Contains(q, "ORDER BY k_at") && !few || strings.Contains(q, "GROUP BY day")
	})
	for _, q := range kept(s.stmts) {
		ofParty := ofParty.MatchString(q) && !strings.Contains(q, "seq = hit") && !strings.Contains(q, "+seq IN")
		if !ofParty || s.engine.server || strings.Contains(q, "SELECT dated_at AS") || strings.Contains(q, "SELECT updated_at AS") {
			continue
		}
		if plan := explainPlan(t, s, q); !slices.ContainsFunc(plan, byParty.MatchString) {
			t.Errorf("the messages of one person are looked for among all: %s\n\t%s", q, strings.Join(plan, "\n\t"))
		}
	}
}

var (
	ofParty = regexp.MustCompile(`AND (party|peer) = `)
	byParty = regexp.MustCompile(`INDEX messages_(party|peer) `)
)

// neverScanned fails for statements of a store that read a whole table, or sort where
// that is asked about.
func neverScanned(t *testing.T, s *Store, unsorted func(query string) bool) {
	t.Helper()
	all := append(kept(s.stmts), kept(s.writer.stmts)...)
	t.Logf("%d statements", len(all))
	for _, q := range all {
		if !largeTable.MatchString(q) {
			continue
		}
		plan := explainPlan(t, s, q)
		for _, step := range plan {
			if scanned.MatchString(step) {
				t.Errorf("%s\n\t%s", q, strings.Join(plan, "\n\t"))
			}
		}
		if !s.engine.server && unsorted(q) {
			if slices.ContainsFunc(plan, func(step string) bool { return strings.Contains(step, "TEMP B-TREE") }) {
				t.Errorf("a list is sorted by hand: %s\n\t%s", q, strings.Join(plan, "\n\t"))
			}
		}
	}
}

// neverWhole fails for statements of a store that look at all messages of an account where
// they want a few. PostgreSQL does not tell: with empty tables it takes any
// index.
func neverWhole(t *testing.T, s *Store) {
	t.Helper()
	if s.engine.server {
		return
	}
	for _, q := range append(kept(s.stmts), kept(s.writer.stmts)...) {
		if plan := explainPlan(t, s, q); slices.ContainsFunc(plan, whole.MatchString) {
			t.Errorf("%s\n\t%s", q, strings.Join(plan, "\n\t"))
		}
	}
}

const largeTables = `(messages|deliveries|events|event_bodies|message_steps|idempotency|media|fetches|orphan_reports|contacts|uploads|group_members|group_changes|message_totals|message_days|day_bounds|tapbacks|accepted_requests|callbacks|held_events)`

var (
	largeTable = regexp.MustCompile(`(?i)\b(FROM|JOIN|UPDATE) ` + largeTables + `\b`)
	// scanned is how SQLite and PostgreSQL say that they read a whole table.
	scanned = regexp.MustCompile(`\bSCAN (m|h|d|p|c|` + largeTables + `)\b|Seq Scan on ` + largeTables + `\b`)
	// whole is how SQLite says that it finds messages by their account alone.
	whole = regexp.MustCompile(`\bSEARCH (m|messages) USING (COVERING )?INDEX \w+ \(account_id=\?\)$`)
)

func ignoreMissing(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// kept lists the statements that were used, as they are written in the code.
func kept(s *statements) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Sorted(maps.Keys(s.kept))
	return slices.DeleteFunc(list, func(q string) bool { return strings.HasPrefix(q, "EXPLAIN ") }) // our own
}

func explainPlan(t *testing.T, s *Store, query string) []string {
	t.Helper()
	if s.engine.server {
		return explainPostgres(t, s, query)
	}
	args := make([]any, placesIn(query))
	rows, err := s.stmts.query(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// explainPostgres has a plan made for any values, where reading a whole table is the
// last resort although the tables are empty. It fails where a parameter is taken for
// less than 64 bits, as one is that is only compared with a number in the text.
func explainPostgres(t *testing.T, s *Store, query string) []string {
	t.Helper()
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for _, set := range []string{"SET LOCAL plan_cache_mode = force_generic_plan", "SET LOCAL enable_seqscan = off", "PREPARE explained AS " + query} {
		if _, err := tx.ExecContext(t.Context(), set); err != nil {
			t.Fatalf("%s: %v", set, err)
		}
	}
	var types string
	if err := tx.QueryRowContext(t.Context(), "SELECT CAST(parameter_types AS TEXT) FROM pg_prepared_statements WHERE name = 'explained'").Scan(&types); err != nil || strings.Contains(types, "integer") {
		t.Errorf("%s takes %s, %v", query, types, err)
	}
	values := ""
	if n := placesIn(query); n > 0 {
		values = "(" + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + ")"
	}
	rows, err := tx.QueryContext(t.Context(), "EXPLAIN EXECUTE explained"+values)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	plan, err := steps(rows)
	if err != nil {
		t.Fatal(err)
	}
	_ = rows.Close()
	if _, err := tx.ExecContext(t.Context(), "DEALLOCATE explained"); err != nil {
		t.Fatal(err)
	}
	return plan
}

func steps(rows *sql.Rows) (list []string, err error) {
	for rows.Next() {
		var step string
		if err := rows.Scan(&step); err != nil {
			return nil, err
		}
		list = append(list, step)
	}
	return list, rows.Err()
}

func placesIn(query string) (highest int) {
	for _, m := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(query, -1) {
		var n int
		fmt.Sscan(m[1], &n)
		highest = max(highest, n)
	}
	return highest
}

// $10 means the tenth argument and a repeated one the same, in whatever order they
// appear.
func TestPlaceholdersMeanTheirNumber(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const query = "SELECT $12 || $1 || $10 || $2 || $11 || $3 || $9 || $4 || $8 || $5 || $7 || $6 || $1 || $12"
	args := []any{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}
	var got string
	if err := s.stmts.row(ctx, query, args...).Scan(&got); err != nil || got != "lajbkcidhegfal" {
		t.Errorf("%q, %v", got, err)
	}
	if err := s.stmts.row(ctx, "SELECT $2", "a").Scan(&got); err == nil {
		t.Error("a missing argument went unnoticed")
	}
}

// A statement is prepared once however many use it.
func TestStatementsArePreparedOnce(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 20 {
		if _, err := s.Account(ctx, "team_none"); err == nil {
			t.Fatal("an account appeared")
		}
	}
	if n := len(kept(s.stmts)); n != 1 {
		t.Errorf("%d statements are kept", n)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Lines(done, ""); err == nil {
		t.Error("a read went on after its caller had gone")
	}
	if _, err := s.Lines(ctx, ""); err != nil {
		t.Errorf("a cancelled read spoiled the statement: %v", err)
	}
}

// Of many statements those that were used last are kept, and nobody is cut who uses another.
func TestStatementsAreForgotten(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := func(n int) {
		var got int
		if err := s.stmts.row(ctx, fmt.Sprintf("SELECT %d", n)).Scan(&got); err != nil || got != n {
			t.Errorf("%d, %v", got, err)
		}
	}
	for n := range 2 * maxKept {
		ask(n)
		ask(0)
	}
	left := kept(s.stmts)
	if len(left) != maxKept || !slices.Contains(left, "SELECT 0") || !slices.Contains(left, fmt.Sprintf("SELECT %d", 2*maxKept-1)) || slices.Contains(left, "SELECT 1") {
		t.Errorf("%d are kept: %v", len(left), left)
	}
	s.stmts.most = 1
	var asking sync.WaitGroup
	for i := range 16 {
		asking.Go(func() {
			for n := range 100 {
				ask((i + n) % 5)
			}
		})
	}
	asking.Wait()
}
