package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// A message counts in the calendar month in which it was ordered, and the migration that
// counts those of before knows the same months.
func TestMonthsBeginWhereTheCalendarSays(t *testing.T) {
	ctx, dsn := t.Context(), storetest.New(t)
	s, err := Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	times := make(map[string]int64) // by account
	for first := time.Date(2019, 12, 1, 0, 0, 0, 0, time.UTC); first.Year() < 2029; first = first.AddDate(0, 1, 0) {
		times["begins "+first.Format("2006-01")] = first.UnixMilli()
		times["ends "+first.Format("2006-01")] = first.AddDate(0, 1, 0).UnixMilli() - 1
	}
	const month = 32 * 24 * int64(time.Hour/time.Millisecond)
	if err := s.Write(ctx, func(tx *Tx) error {
		for id, at := range times {
			err := errors.Join(tx.CreateAccount(Account{ID: id}), tx.CreateLine(Line{ID: id, AccountID: id, PhoneNumber: id}))
			for i, m := range []Message{
				{CreatedAt: at - month}, {CreatedAt: at}, {CreatedAt: at, Origin: OriginCanary},
				{CreatedAt: at, Status: wire.StatusFailed, ErrorCode: CodeOptedOut}, {CreatedAt: at, Status: wire.StatusReceived, Direction: Inbound},
			} {
				m.ID, m.AccountID, m.LineID = fmt.Sprint(id, i), id, id
				if m.Direction == "" {
					m.Direction = Outbound
				}
				if m.Status == "" {
					m.Status = wire.Queued
				}
				err = errors.Join(err, tx.CreateMessage(&m))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	check := func(by string) {
		t.Helper()
		for id, at := range times {
			now, err := s.SentInMonth(ctx, id, at)
			later, err2 := s.SentInMonth(ctx, id, at+month)
			if err := errors.Join(err, err2); err != nil || now != 1 || later != 0 {
				t.Errorf("%s: %s counts %d, and %d a month later, %v", by, id, now, later, err)
			}
		}
	}
	check("a send")
	text, err := migrations.ReadFile("migrations/00021_bounds.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, fill, found := strings.Cut(string(text), "-- Counted from the messages.")
	if !found {
		t.Fatalf("%s", text)
	}
	storetest.Exec(t, dsn, "UPDATE accounts SET sent_month = 0, sent_in_month = 0")
	for statement := range strings.SplitSeq("-- "+strings.TrimSpace(fill), ";\n") {
		storetest.Exec(t, dsn, statement)
	}
	check("the migration")
}
