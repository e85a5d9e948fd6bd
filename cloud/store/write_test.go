package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
)

var errMine = errors.New("this one does not want to")

// hold keeps the writer busy until release is called, so that what is written
// meanwhile shares one transaction.
func hold(t testing.TB, s *store.Store) (release func()) {
	t.Helper()
	began, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.Write(context.Background(), func(*store.Tx) error {
			close(began)
			<-end
			return nil
		})
	}()
	<-began
	return func() {
		close(end)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestOneFailureTouchesNobodyElse(t *testing.T) {
	s, dsn := open(t)
	const writers = 300 // more than one group
	results := make([]error, writers)
	release := hold(t, s)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			results[i] = s.Write(t.Context(), func(tx *store.Tx) error {
				m := message(fmt.Sprintf("msg_%d", i))
				if i%5 == 1 {
					m.ID = "msg_taken"
				}
				if err := tx.CreateMessage(&m); err != nil {
					return err
				}
				if i%5 == 2 {
					return errMine // after its insert: must be undone
				}
				if i%5 == 3 {
					return tx.UpdateLine(store.Line{ID: "num_none"})
				}
				return nil
			})
		})
	}
	release()
	all.Wait()
	taken := 0
	for i, err := range results {
		switch i % 5 {
		case 1:
			if err == nil {
				taken++
			} else if !errors.Is(err, store.ErrExists) {
				t.Errorf("writer %d: %v", i, err)
			}
		case 2:
			if !errors.Is(err, errMine) {
				t.Errorf("writer %d: %v", i, err)
			}
		case 3:
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("writer %d: %v", i, err)
			}
		default:
			if err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		}
	}
	if taken != 1 {
		t.Errorf("one id was given %d times", taken)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, dsn)
	var seqs []int64
	for i := range writers {
		m, err := s.Message(t.Context(), accountID, fmt.Sprintf("msg_%d", i))
		if want := results[i] == nil && i%5 != 1; (err == nil) != want {
			t.Errorf("message %d after reopening: %v, Write had said %v", i, err, results[i])
		}
		if err == nil {
			seqs = append(seqs, m.Seq)
		}
	}
	m, err := s.Message(t.Context(), accountID, "msg_taken")
	if err != nil {
		t.Fatal(err)
	}
	seqs = append(seqs, m.Seq)
	slices.Sort(seqs)
	for i, n := range seqs {
		if n != int64(i+1) {
			t.Fatalf("the numbers have a gap or a twin at %d: %v", i, seqs)
		}
	}
}

func TestCancelledWriterHarmsNobody(t *testing.T) {
	s, _ := open(t)
	release := hold(t, s)
	const writers = 100
	results := make([]error, writers)
	var all sync.WaitGroup
	var waiting sync.WaitGroup
	gone, cancel := context.WithCancel(t.Context())
	waiting.Add(writers)
	for i := range writers {
		ctx := t.Context()
		if i%2 == 1 {
			ctx = gone
		}
		all.Go(func() {
			m := message(fmt.Sprintf("msg_%d", i))
			waiting.Done()
			results[i] = s.Write(ctx, func(tx *store.Tx) error { return tx.CreateMessage(&m) })
		})
	}
	waiting.Wait()
	cancel()
	release()
	all.Wait()
	for i, result := range results {
		_, err := s.Message(t.Context(), accountID, fmt.Sprintf("msg_%d", i))
		if i%2 == 0 && (result != nil || err != nil) {
			t.Errorf("writer %d: %v, %v", i, result, err)
		}
		if i%2 == 1 && (!errors.Is(result, context.Canceled) || !errors.Is(err, store.ErrNotFound)) {
			t.Errorf("a writer that had hung up: %v, %v", result, err)
		}
	}
}

// A context that ends inside the function undoes neither it nor its neighbours.
func TestContextEndsWhileWriting(t *testing.T) {
	s, _ := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Write(ctx, func(tx *store.Tx) error {
		m := message("msg_1")
		if err := tx.CreateMessage(&m); err != nil {
			return err
		}
		cancel()
		_, err := tx.Message(tx.Context(), accountID, "msg_1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Message(t.Context(), accountID, "msg_1"); err != nil {
		t.Fatal(err)
	}
}

func TestWriteAfterClose(t *testing.T) {
	s, _ := open(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ran := false
	if err := s.Write(t.Context(), func(*store.Tx) error { ran = true; return nil }); err == nil || ran {
		t.Errorf("a closed database was written: %v, ran %t", err, ran)
	}
}

// Whoever writes while the database closes gets the truth: success if it is there.
func TestCloseAmongWriters(t *testing.T) {
	s, dsn := open(t)
	const writers = 64
	results := make([]error, writers)
	var all sync.WaitGroup
	started := make(chan struct{}, writers)
	for i := range writers {
		all.Go(func() {
			m := message(fmt.Sprintf("msg_%d", i))
			started <- struct{}{}
			results[i] = s.Write(t.Context(), func(tx *store.Tx) error { return tx.CreateMessage(&m) })
		})
	}
	for range writers / 2 {
		<-started
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	s = openAt(t, dsn)
	for i, result := range results {
		_, err := s.Message(t.Context(), accountID, fmt.Sprintf("msg_%d", i))
		if (result == nil) != (err == nil) {
			t.Errorf("writer %d was told %v, the database says %v", i, result, err)
		}
	}
}

// kill -9 in the middle of writing: what was acknowledged is there.
func TestKilledWriterKeepsItsWord(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round, want := range []int{1, 60, 250} {
		s, dsn := open(t)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		child := exec.CommandContext(t.Context(), program)
		child.Env = append(os.Environ(), childDatabase+"="+dsn)
		child.Stderr = t.Output()
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var acked []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			acked = append(acked, lines.Text())
			if len(acked) == want {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait() // it was killed
		if len(acked) < want {
			t.Fatalf("the child wrote only %d messages", len(acked))
		}
		s = openAt(t, dsn)
		for _, id := range acked {
			if _, err := s.Message(t.Context(), accountID, id); err != nil {
				t.Errorf("round %d: %s was acknowledged: %v", round, id, err)
			}
		}
		sound(t, dsn)
		if n := strings.Fields(storetest.Rows(t, dsn, "SELECT COUNT(*), MAX(seq) FROM messages")[0]); n[0] != n[1] {
			t.Errorf("round %d: %s rows, highest number %s", round, n[0], n[1])
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
