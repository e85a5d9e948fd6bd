package store

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// Pages and totals are those of a filter that looks at every message, whatever is asked
// for, for messages that have lived a little.
func TestListsAgreeWithANaiveFilter(t *testing.T) {
	ctx := t.Context()
	s, gen, all := lived(t)
	for range 600 {
		f := gen.filter(all)
		want, total := naive(all, f)
		got, n, err := s.Page(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		if n != int64(total) || !reflect.DeepEqual(ids(got), ids(want)) {
			t.Fatalf("%+v\ngot  %v of %d\nwant %v of %d", f, ids(got), n, ids(want), total)
		}
		if len(got) > 0 {
			f.Before, f.Offset = &got[len(got)/2], 0
			want, _ = naive(all, f)
			if got, err := s.Messages(ctx, f); err != nil || !reflect.DeepEqual(ids(got), ids(want)) {
				t.Fatalf("%+v\ngot  %v, %v\nwant %v", f, ids(got), err, ids(want))
			}
		}
	}
}

// lived opens a store with the messages of two accounts of which something has become, on
// some days, and returns them all, those that are hidden too.
func lived(t *testing.T) (*Store, *generator, []Message) {
	t.Helper()
	ctx := t.Context()
	s, err := Open(ctx, storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	gen := newGenerator(7)
	for _, account := range []string{"team_other", benchAccount} {
		prefix := account[len(account)-2:]
		if err := s.Write(ctx, func(tx *Tx) error {
			if err := tx.CreateAccount(Account{ID: account, CreatedAt: 1}); err != nil {
				return err
			}
			for i, number := range benchLines {
				if account != benchAccount {
					number += "0"
				}
				if err := tx.CreateLine(Line{ID: fmt.Sprint(prefix, "num_", i), AccountID: account, PhoneNumber: number, CreatedAt: 1}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 600; i += 10 {
			if err := s.Write(ctx, func(tx *Tx) (err error) {
				if i == 300 {
					err = tx.CreateRelay(Relay{ID: prefix + "rel", AccountID: account, LineID: prefix + "num_0", SecretHash: prefix, CreatedAt: 5})
				}
				for j := range 10 {
					err = errors.Join(err, tx.live(gen, account, prefix, i+j))
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := collect(ctx, s.reader, scanMessage, "SELECT "+messageColumns+" FROM messages")
	if err != nil {
		t.Fatal(err)
	}
	return s, gen, all
}

// live makes a message of the generator's and lets something become of it.
func (tx *Tx) live(gen *generator, account, prefix string, i int) error {
	m := gen.message(i)
	m.ID, m.LineID, m.AccountID, m.AppleGUID, m.Requested = prefix+m.ID, prefix+m.LineID, account, prefix+m.AppleGUID, wire.ServiceAuto
	m.CreatedAt = benchStart + int64(gen.IntN(300)) - 150 + gen.days(12) // many at once, about midnight
	if m.SentAt != 0 {
		m.SentAt = m.CreatedAt + int64(gen.IntN(50)) - 25
	}
	m.Phase, m.Class = "", 0
	at := m.CreatedAt + int64(gen.IntN(100))
	if gen.IntN(5) == 0 {
		at += gen.days(4)
	}
	if m.Direction == Outbound && gen.IntN(2) == 0 {
		m.Status, m.SentAt, m.AwaitsMedia = wire.Queued, 0, gen.IntN(2) == 0
	}
	if account != benchAccount {
		swap := func(s *string) {
			if slices.Contains(benchLines, *s) {
				*s += "0"
			}
		}
		swap(&m.From)
		swap(&m.To)
	} else if gen.IntN(10) == 0 && m.Direction == Inbound && m.Peer == m.From {
		m.From = benchLines[gen.IntN(len(benchLines))] // one line writes to another
		m.Peer = m.From
	}
	if err := tx.CreateMessage(&m); err != nil {
		return err
	}
	if gen.IntN(6) == 0 {
		aside := m
		aside.ID, aside.AppleGUID, aside.BelongsTo, aside.Place = m.ID+"_2", "", m.ID, int64(gen.IntN(2))
		if err := tx.CreateAside(&aside); err != nil {
			return err
		}
		if gen.IntN(4) == 0 {
			m = aside // what becomes of it is what the rest is about
		}
	}
	for range gen.IntN(4) {
		var err error
		switch gen.IntN(6) {
		case 5:
			_, _, err = tx.Change(Change{ID: m.ID, Now: at, Text: new(gen.text()), Revision: int64(1 + gen.IntN(3))})
		case 0:
			_, err = tx.ShowFetched(m.ID, at)
		case 1:
			_, _, err = tx.Change(Change{ID: m.ID, Now: at, Peer: "any;+;chat1", ChatGUID: "any;+;chat1"})
		case 2:
			err = tx.FallBack(m.ID, "")
		default:
			to := []wire.Status{wire.StatusAccepted, wire.StatusSent, wire.StatusDelivered, wire.StatusFailed, wire.StatusUnknown, wire.Canceled}[gen.IntN(6)]
			_, _, err = tx.Advance(Step{ID: m.ID, To: to, At: at, Now: at, ErrorCode: gen.pick("", 1, CodeDeclined, 1), Service: gen.pick("", 3, wire.ServiceSMS, 1)})
		}
		if err != nil {
			return err
		}
	}
	if gen.IntN(20) == 0 {
		return tx.Hide(account, m.ID, at)
	}
	return nil
}

// days are up to so many days, in ms.
func (g *generator) days(n int) int64 { return int64(g.IntN(n)) * dayLength }

// filter makes a filter that often holds for something.
func (g *generator) filter(all []Message) MessageFilter {
	like := all[g.IntN(len(all))]
	f := MessageFilter{AccountID: benchAccount, Order: Order(g.IntN(3)), Ascending: g.IntN(2) == 0, Offset: g.IntN(4) * g.IntN(40), Limit: 1 + g.IntN(60), Asides: g.IntN(2) == 0}
	span := func(at int64) (s Span) {
		if g.IntN(2) == 0 {
			s.From = at - int64(g.IntN(100)) - g.days(3)
		}
		if g.IntN(2) == 0 {
			s.To = at + int64(g.IntN(100)) + g.days(3)
		}
		return s
	}
	for range g.IntN(4) {
		switch g.IntN(13) {
		case 12:
			words := strings.Fields(like.Content)
			f.Text = g.pick(words[0], 2, words[0]+" "+words[len(words)/2], 2, words[0][:2], 1, `"`+strings.ToUpper(words[0])+`" OR -!`, 1)
		case 0:
			f.Phases = []Phase{like.Phase, phases[1+g.IntN(len(phases)-1)]}
		case 1:
			f.Service = like.Service
		case 2:
			f.Direction = like.Direction
		case 3:
			f.Type = g.pick(TypeMessage, 1, TypeGroup, 1)
		case 4:
			f.From = like.From
		case 5:
			f.To = like.To
		case 6:
			f.Number = g.pick(like.From, 1, like.To, 1)
		case 7:
			f.Line = benchLines[g.IntN(len(benchLines))]
		case 8:
			f.Group = g.pick("any;+;chat1", 1, like.ChatGUID, 1)
		case 9:
			f.Created = span(like.CreatedAt)
		case 10:
			f.Sent = span(like.DatedAt)
		case 11:
			f.Updated = span(like.UpdatedAt)
		}
	}
	return f
}

// naive is a list as one would write it down, with the members of a message alone.
func naive(all []Message, f MessageFilter) (page []Message, total int) {
	within := func(at int64, s Span) bool { return at >= s.From && (s.To == 0 || at <= s.To) }
	var list []Message
	for _, m := range all {
		line := m.From
		if m.Direction == Inbound {
			line = m.To
		}
		if m.AccountID == f.AccountID && m.HiddenAt == 0 && (f.Asides || m.BelongsTo == "") && (len(f.Phases) == 0 || slices.Contains(f.Phases, m.phase())) &&
			(f.Service == "" || f.Service == m.Service) && (f.Direction == "" || f.Direction == m.Direction) && (f.Type == "" || (f.Type == TypeGroup) == m.InGroup()) &&
			(f.From == "" || f.From == m.From) && (f.To == "" || f.To == m.To) && (f.Number == "" || f.Number == m.From || f.Number == m.To) &&
			(f.Line == "" || f.Line == line) && (f.Group == "" || m.InGroup() && m.Peer == f.Group) &&
			(f.Text == "" || says(m.Content, f.Text)) && within(m.CreatedAt, f.Created) && within(m.DatedAt, f.Sent) && within(m.UpdatedAt, f.Updated) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b Message) int {
		if !f.Ascending {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(f.Order.of(a), f.Order.of(b)), cmp.Compare(a.Seq, b.Seq))
	})
	total = len(list)
	if f.Before != nil {
		i := slices.IndexFunc(list, func(m Message) bool { return m.ID == f.Before.ID })
		list = list[i+1:]
	}
	list = list[min(f.Offset, len(list)):]
	return list[:min(f.Limit, len(list))], total
}

func says(content, text string) bool {
	words, has := Words(strings.ToLower(text)), strings.Fields(content)
	for i, word := range words {
		if !slices.ContainsFunc(has, func(w string) bool { return w == word || i == len(words)-1 && strings.HasPrefix(w, word) }) {
			return false
		}
	}
	return true
}

func ids(list []Message) (of []string) {
	for _, m := range list {
		of = append(of, m.ID)
	}
	return of
}
