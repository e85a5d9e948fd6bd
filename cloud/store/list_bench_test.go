package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/wire"
)

// benchDatabase, set in the environment, is where the database of BenchmarkLists is
// kept, so that it is made once.
const benchDatabase = "STORE_BENCH_DATABASE"

const (
	benchAccount  = "team_bench"
	benchMessages = 1_000_000
	benchContacts = 20_000
	benchStart    = int64(1_735_689_600_000) // 2025-01-01
	benchYear     = int64(365 * 24 * 3600 * 1000)
)

var benchLines = []string{"+14155559876", "+14155559877", "+14155559878"}

// benchStore opens the database of a million messages of a year: three lines of which
// the first has most, 20,000 contacts of which few write much, a group every thirty
// messages, and of every status what a healthy account has.
func benchStore(b *testing.B) *Store {
	path := os.Getenv(benchDatabase)
	if path == "" {
		path = filepath.Join(b.TempDir(), "cloud.db")
	}
	_, missing := os.Stat(path)
	s, err := Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	if missing == nil {
		return s
	}
	if err := s.Write(b.Context(), func(tx *Tx) error {
		if err := tx.CreateAccount(Account{ID: benchAccount, Name: "A", CreatedAt: 1}); err != nil {
			return err
		}
		for i, number := range benchLines {
			if err := tx.CreateLine(Line{ID: fmt.Sprint("num_", i), AccountID: benchAccount, PhoneNumber: number, Status: LineActive, CreatedAt: 1}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	if err := fillBench(b.Context(), path); err != nil {
		os.Remove(path)
		b.Fatal(err)
	}
	return s
}

// fillBench writes the messages beside the store, without its indexes and its care for
// the disk, in a minute instead of an hour.
func fillBench(ctx context.Context, path string) error {
	db := openSQLite(path, "_txlock=immediate&_synchronous=OFF")
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(query string, args ...any) error {
		_, err := db.ExecContext(ctx, query, args...)
		return err
	}
	var indexes []struct{ name, text string } // in their order, which decides where SQLite takes two for equally good
	rows, err := db.QueryContext(ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'messages' AND sql <> '' ORDER BY rowid")
	if err != nil {
		return err
	}
	for rows.Next() {
		var index struct{ name, text string }
		if err := rows.Scan(&index.name, &index.text); err != nil {
			return err
		}
		indexes = append(indexes, index)
	}
	if err := errors.Join(rows.Err(), rows.Close(), exec("PRAGMA synchronous = OFF"), exec("PRAGMA cache_size = -200000")); err != nil {
		return err
	}
	for _, index := range indexes {
		if err := exec("DROP INDEX " + index.name); err != nil {
			return err
		}
	}
	if err := exec("BEGIN"); err != nil {
		return err
	}
	insert, err := db.PrepareContext(ctx, `INSERT INTO messages (id, account_id, line_id, seq, direction, status, from_addr, to_addr, peer, content, media_url, service, chat_guid,
		apple_guid, attempt, error_code, error_number, error_message, created_at, accepted_at, sent_at, delivered_at, read_at, updated_at, party, dated_at, class)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, 1, ?, 0, '', ?, 0, ?, 0, 0, ?, ?, ?, ?)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	gen := newGenerator(1)
	totals := make(map[int64]int64)
	for i := range benchMessages {
		m := gen.message(i)
		totals[m.Class]++
		if _, err := insert.ExecContext(ctx, m.ID, benchAccount, m.LineID, i+1, m.Direction, m.Status, m.From, m.To, m.Peer, m.Content, m.Service, m.ChatGUID,
			m.AppleGUID, m.ErrorCode, m.CreatedAt, m.SentAt, m.UpdatedAt, m.party(), m.DatedAt, m.Class); err != nil {
			return err
		}
	}
	for class, n := range totals {
		if err := exec("INSERT INTO message_totals (class, account_id, n) VALUES (?, ?, ?)", class, benchAccount, n); err != nil {
			return err
		}
	}
	for _, text := range []string{
		"INSERT INTO message_days (account_id, day, class, n) SELECT account_id, created_at / 86400000, class, COUNT(*) FROM messages GROUP BY account_id, created_at / 86400000, class",
		fillTexts,
		"INSERT INTO day_bounds SELECT account_id, created_at / 86400000, MIN(dated_at), MAX(dated_at), MIN(updated_at), MAX(updated_at) FROM messages GROUP BY account_id, created_at / 86400000",
		"COMMIT",
	} {
		if err := exec(text); err != nil {
			return err
		}
	}
	for _, index := range indexes {
		if err := exec(index.text); err != nil {
			return err
		}
	}
	return nil
}

type generator struct {
	*rand.Rand
	people, words *rand.Zipf
}

func newGenerator(seed uint64) *generator {
	r := rand.New(rand.NewPCG(seed, seed))
	return &generator{r, rand.NewZipf(r, 1.1, 50, benchContacts-1), rand.NewZipf(r, 1.05, 20, 50_000)}
}

func contact(n uint64) string { return fmt.Sprintf("+1212%07d", n) }

// message makes the i-th message.
func (g *generator) message(i int) Message {
	line := [...]int{0, 0, 0, 0, 0, 0, 0, 1, 1, 2}[g.IntN(10)]
	peer := contact(g.people.Uint64())
	at := benchStart + int64(i)*(benchYear/benchMessages)
	m := Message{
		ID: fmt.Sprintf("msg_%012x", uint64(i)*0x9E3779B97F4A7C15>>16), LineID: fmt.Sprint("num_", line), Direction: Inbound, Status: wire.StatusReceived, From: peer, To: benchLines[line],
		Peer: peer, Content: g.text(), Service: g.pick(wire.ServiceIMessage, 80, wire.ServiceSMS, 17, wire.ServiceRCS, 3),
		AppleGUID: fmt.Sprintf("%016X-%d", g.Uint64(), i), CreatedAt: at, SentAt: at - int64(g.IntN(2000)), UpdatedAt: at,
	}
	group := g.IntN(30) == 0
	if group {
		m.ChatGUID = fmt.Sprint("any;+;chat", g.IntN(200))
		m.Peer = m.ChatGUID
	}
	if g.IntN(100) < 45 {
		return counted(m, line)
	}
	m.Direction, m.From, m.To = Outbound, m.To, m.From
	if group {
		m.To = m.Peer
	}
	m.Status = wire.Status(g.pick(string(wire.StatusDelivered), 690, string(wire.StatusRead), 50, string(wire.StatusSent), 200, string(wire.StatusFailed), 50,
		string(wire.StatusUnknown), 5, string(wire.Canceled), 2, string(wire.StatusSending), 2, string(wire.Queued), 1))
	m.SentAt, m.UpdatedAt = at+int64(g.IntN(3000)), at+3000+int64(g.ExpFloat64()*600_000)
	switch m.Status {
	case wire.Queued, wire.StatusSending, wire.Canceled:
		m.SentAt = 0
	case wire.StatusFailed:
		m.SentAt = 0
		m.ErrorCode = g.pick("messages_error", 90, CodeOptedOut, 10)
	}
	return counted(m, line)
}

// counted gives a message what the store would give it.
func counted(m Message, line int) Message {
	m.DatedAt = cmp.Or(m.SentAt, m.CreatedAt)
	m.classify(int64(line)+1, true)
	return m
}

func (g *generator) text() string {
	var text strings.Builder
	for range 4 + g.IntN(12) {
		fmt.Fprintf(&text, "w%d ", g.words.Uint64())
	}
	return text.String()
}

// pick takes one of the strings by the weights that follow them.
func (g *generator) pick(of ...any) string {
	sum := 0
	for i := 1; i < len(of); i += 2 {
		sum += of[i].(int)
	}
	n := g.IntN(sum)
	for i := 0; ; i += 2 {
		if n -= of[i+1].(int); n < 0 {
			return of[i].(string)
		}
	}
}

// benchFilters are one filter of every kind, or two where what is asked for may be much
// or little.
func benchFilters() []namedFilter {
	ago := func(days int64) int64 { return benchStart + benchYear - days*24*3600*1000 }
	return []namedFilter{
		{"service iMessage", func(f *MessageFilter) { f.Service = wire.ServiceIMessage }},
		{"service RCS", func(f *MessageFilter) { f.Service = wire.ServiceRCS }},
		{"status delivered", func(f *MessageFilter) { f.Phases = []Phase{PhaseDelivered} }},
		{"status error", func(f *MessageFilter) { f.Phases = []Phase{PhaseFailed, PhaseUnknown} }},
		{"status declined", func(f *MessageFilter) { f.Phases = []Phase{PhaseDeclined} }},
		{"outbound", func(f *MessageFilter) { f.Direction = Outbound }},
		{"inbound", func(f *MessageFilter) { f.Direction = Inbound }},
		{"type group", func(f *MessageFilter) { f.Type = TypeGroup }},
		{"from own", func(f *MessageFilter) { f.From = benchLines[0] }},
		{"from contact", func(f *MessageFilter) { f.From = contact(0) }},
		{"to own", func(f *MessageFilter) { f.To = benchLines[0] }},
		{"to contact", func(f *MessageFilter) { f.To = contact(40) }},
		{"number contact", func(f *MessageFilter) { f.Number = contact(1) }},
		{"number own", func(f *MessageFilter) { f.Number = benchLines[1] }},
		{"group", func(f *MessageFilter) { f.Group = "any;+;chat7" }},
		{"line", func(f *MessageFilter) { f.Line = benchLines[2] }},
		{"created since", func(f *MessageFilter) { f.Created.From = ago(180) }},
		{"created until", func(f *MessageFilter) { f.Created.To = ago(180) }},
		{"sent since", func(f *MessageFilter) { f.Sent.From = ago(180) }},
		{"sent until", func(f *MessageFilter) { f.Sent.To = ago(180) }},
		{"updated since", func(f *MessageFilter) { f.Updated.From = ago(180) }},
		{"a rare word", func(f *MessageFilter) { f.Text = "w31000" }},
		{"a frequent word", func(f *MessageFilter) { f.Text = "w0" }},
		{"updated until", func(f *MessageFilter) { f.Updated.To = ago(180) }},
	}
}

type namedFilter struct {
	name string
	set  func(*MessageFilter)
}

// BenchmarkLists times a page of 100 of a million messages: by each filter and each two
// of them, at the start of the list and behind 10,000 messages, or half of what there is, by
// offset and from a message on, and the total beside it.
func BenchmarkLists(b *testing.B) {
	s := benchStore(b)
	all := append([]namedFilter{{"no filter", func(*MessageFilter) {}}}, benchFilters()...)
	var pairs, withWords []listCost
	for b.Loop() {
		for _, one := range all {
			b.Log(measureList(b, s, one.name, 9, one.set))
		}
		for i, one := range all[1:] {
			for _, other := range all[i+2:] {
				c := measureList(b, s, one.name+" + "+other.name, 3, one.set, other.set)
				if strings.Contains(c.name, "word") {
					withWords = append(withWords, c)
				} else {
					pairs = append(pairs, c)
				}
			}
		}
	}
	reportLists(b, "pairs", pairs)
	reportLists(b, "pairs with words", withWords)
}

// reportLists logs the medians and the dearest of some lists.
func reportLists(b *testing.B, what string, list []listCost) {
	for _, part := range []struct {
		name string
		of   func(listCost) time.Duration
	}{
		{"start", func(c listCost) time.Duration { return c.start }},
		{"offset 10,000", func(c listCost) time.Duration { return c.offset }},
		{"keyset", func(c listCost) time.Duration { return c.keyset }},
		{"total", func(c listCost) time.Duration { return c.total }},
	} {
		slices.SortFunc(list, func(x, y listCost) int { return int(part.of(y) - part.of(x)) })
		b.Logf("%d %s by %s: worst %v, a tenth above %v, median %v", len(list), what, part.name, part.of(list[0]), part.of(list[len(list)/10]), part.of(list[len(list)/2]))
		for _, c := range list[:5] {
			b.Log("\t", c)
		}
	}
}

// listCost are medians.
type listCost struct {
	name                         string
	n                            int64
	start, offset, keyset, total time.Duration
}

func (c listCost) String() string {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return fmt.Sprintf("%-36s %8d found: page %6.2f ms, behind 10,000 %6.2f, from a message on %6.2f, total %6.2f", c.name, c.n, ms(c.start), ms(c.offset), ms(c.keyset), ms(c.total))
}

func measureList(b *testing.B, s *Store, name string, times int, sets ...func(*MessageFilter)) listCost {
	ctx := context.Background()
	f := MessageFilter{AccountID: benchAccount, Limit: 100}
	for _, set := range sets {
		set(&f)
	}
	c := listCost{name: name}
	median := func(fn func() error) time.Duration {
		var took []time.Duration
		for range times {
			begin := time.Now()
			if err := fn(); err != nil {
				b.Fatal(name, err)
			}
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	c.total = median(func() (err error) { c.n, err = s.Total(ctx, f); return err })
	var last []Message
	c.start = median(func() (err error) { last, err = s.Messages(ctx, f); return err })
	f.Offset = int(min(10_000, c.n/2))
	var deep []Message
	c.offset = median(func() (err error) { deep, err = s.Messages(ctx, f); return err })
	if len(deep) > 0 {
		last = deep
	}
	if f.Offset = 0; len(last) > 0 {
		f.Before = &last[len(last)-1]
	}
	c.keyset = median(func() error { _, err := s.Messages(ctx, f); return err })
	return c
}
