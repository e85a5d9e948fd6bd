package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"bluerelay/cloud/store/storetest"
)

// queued puts a writer into the queue, in the order of the calls.
func queued(s *Store, fn func(*Tx) error) <-chan error {
	j := &job{ctx: context.Background(), fn: fn, done: make(chan error, 1)}
	s.writer.jobs <- j
	return j.done
}

// Writers for whom a group has no time are the next group, in their order: on a slow
// database those who were in time are not undone with them.
func TestGroupEndsInTime(t *testing.T) {
	s, err := Open(t.Context(), storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.writer.groupTime = 0 // for the first of each group
	release := make(chan struct{})
	answers := []<-chan error{queued(s, func(*Tx) error { <-release; return nil })}
	for i := range 5 {
		answers = append(answers, queued(s, func(tx *Tx) error {
			for before := range i { // committed, or the others would not see it
				if got, err := s.Setting(tx.Context(), fmt.Sprint(before)); got != "there" {
					return fmt.Errorf("writer %d reads %q of writer %d, %v", i, got, before, err)
				}
			}
			return tx.SetSetting(fmt.Sprint(i), "there")
		}))
	}
	close(release)
	for _, answer := range answers {
		if err := <-answer; err != nil {
			t.Error(err)
		}
	}
}

// A server is given up when it has not answered one statement, however long all of them
// take.
func TestSlowDatabaseIsNotGivenUp(t *testing.T) {
	s, err := Serve(t.Context(), storetest.Start(t).New(t, "slow"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.writer.statementTime = time.Second
	sleep := func(tx *Tx, seconds float64) error {
		_, err := tx.stmts.exec(tx.ctx, "SELECT pg_sleep($1)", seconds)
		return err
	}
	err = s.Write(t.Context(), func(tx *Tx) error {
		for range 4 {
			if err := sleep(tx, 0.4); err != nil {
				return err
			}
		}
		return tx.SetSetting("n", "slow")
	})
	if err != nil {
		t.Errorf("statements that take less than they may: %v", err)
	}
	err = s.Write(t.Context(), func(tx *Tx) error { return errors.Join(tx.SetSetting("n", "silent"), sleep(tx, 600)) })
	if !errors.Is(err, ErrNoSpace) || Hopeless(err) {
		t.Errorf("a server that does not answer: %v", err)
	}
	if err := s.Write(t.Context(), func(tx *Tx) error { return tx.SetSetting("m", "again") }); err != nil {
		t.Errorf("the next one: %v", err)
	}
	if got, err := s.Setting(t.Context(), "n"); got != "slow" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
