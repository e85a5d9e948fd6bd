package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

func create(t testing.TB, s *store.Store, list ...store.Message) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		for _, m := range list {
			if err := tx.CreateMessage(&m); err != nil {
				return err
			}
		}
		return nil
	})
}

// to is a waiting message to a peer.
func to(id, peer string) store.Message {
	m := message(id)
	m.To, m.Peer = peer, peer
	return m
}

// opening assigns with room for everything but so many new conversations.
func opening(t testing.TB, s *store.Store, n int, now int64) []string {
	t.Helper()
	var list []store.Message
	write(t, s, func(tx *store.Tx) (err error) {
		list, err = tx.Assign(lineID, "ins_a", store.Room{Window: 100, Now: 100, Opening: n}, now)
		return err
	})
	return ids(list)
}

// A limit of new conversations holds back exactly the messages that would begin one,
// and those behind them are not held up.
func TestNewConversationsAreCounted(t *testing.T) {
	s, _ := open(t)
	known := to("known", "friend")
	known.Direction, known.Status = store.Inbound, wire.StatusReceived
	typed := to("typed", "colleague")
	typed.Origin, typed.Status = store.OriginDevice, wire.StatusSent
	create(t, s, known, typed, to("n1", "a"), to("n2", "b"), to("n1b", "a"), to("n3", "c"), to("k1", "friend"), to("k2", "colleague"))
	if got := opening(t, s, 0, 1000); !slices.Equal(got, []string{"k1", "k2"}) {
		t.Errorf("without any: %v", got)
	}
	if got := opening(t, s, 2, 2000); !slices.Equal(got, []string{"n1", "n2"}) {
		t.Errorf("two: %v", got)
	}
	if n, err := s.Opened(t.Context(), lineID, 1999); n != 2 || err != nil {
		t.Errorf("%d are counted, %v", n, err)
	}
	if n, err := s.Opened(t.Context(), lineID, 2000); n != 0 || err != nil {
		t.Errorf("%d are counted later, %v", n, err)
	}
	// The second to the same peer begins nothing, neither does another attempt.
	advance(t, s, store.Step{ID: "n1", To: wire.StatusSent, Now: 2001})
	advance(t, s, store.Step{ID: "n2", To: wire.Queued, InstallID: "ins_a", Attempt: 1, Now: 2001})
	for id, want := range map[string]bool{"n1b": false, "n2": false, "n3": true} {
		if got, err := s.Opens(t.Context(), id); got != want || err != nil {
			t.Errorf("%s opens: %t, %v", id, got, err)
		}
	}
	if got := opening(t, s, 0, 3000); !slices.Equal(got, []string{"n2", "n1b"}) {
		t.Errorf("of those that are known: %v", got)
	}
	if n, err := s.Opened(t.Context(), lineID, 0); n != 2 || err != nil {
		t.Errorf("%d are counted, %v", n, err)
	}
	if got := opening(t, s, -1, 4000); !slices.Equal(got, []string{"n3"}) {
		t.Errorf("without a limit: %v", got)
	}
}

// The message that would open a conversation is skipped also in the middle of what
// may go, and the room it leaves is used.
func TestSkippedOpenersLeaveTheirRoom(t *testing.T) {
	s, _ := open(t)
	known := to("known", "friend")
	known.Direction, known.Status = store.Inbound, wire.StatusReceived
	create(t, s, known, to("o1", "a"), to("o2", "b"), to("o3", "c"), to("k1", "friend"))
	var list []store.Message
	write(t, s, func(tx *store.Tx) (err error) {
		list, err = tx.Assign(lineID, "ins_a", store.Room{Window: 4, Now: 2, Opening: 1}, 1)
		return err
	})
	if got := ids(list); !slices.Equal(got, []string{"o1", "k1"}) {
		t.Errorf("%v", got)
	}
}

func TestOverdueMessagesAreNotAssigned(t *testing.T) {
	s, _ := open(t)
	early, late, never := to("early", "a"), to("late", "b"), to("never", "c")
	early.ExpiresAt, late.ExpiresAt = 5000, 6000
	create(t, s, early, late, never)
	if got, err := s.Overdue(t.Context(), "", 4999, 10); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", ids(got), err)
	}
	for _, line := range []string{"", lineID} {
		if got, err := s.Overdue(t.Context(), line, 5000, 10); err != nil || !slices.Equal(ids(got), []string{"early"}) {
			t.Errorf("of line %q: %v, %v", line, ids(got), err)
		}
	}
	if got, err := s.Overdue(t.Context(), "num_other", 9000, 10); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", ids(got), err)
	}
	if got := opening(t, s, -1, 5000); !slices.Equal(got, []string{"late", "never"}) {
		t.Errorf("assigned: %v", got)
	}
	// What a relay has, it expires itself.
	if got, err := s.Overdue(t.Context(), "", 9000, 10); err != nil || !slices.Equal(ids(got), []string{"early"}) {
		t.Errorf("%v, %v", ids(got), err)
	}
}

// entry is what of a timeline does not depend on the clock.
type entry struct {
	status   wire.Status
	attempt  int
	evidence string
	guid     string
	code     string
}

func timeline(t testing.TB, s *store.Store, id string) (list []entry) {
	t.Helper()
	m, err := s.Message(t.Context(), accountID, id)
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Timeline(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range all {
		if e.N != i+1 {
			t.Errorf("entry %d has number %d", i+1, e.N)
		}
		list = append(list, entry{e.Status, e.Attempt, e.Evidence, e.AppleGUID, e.Code})
	}
	return list
}

// Whatever changes a message's status writes its timeline; what changes nothing
// does not.
func TestTimelineHasEveryStep(t *testing.T) {
	s, _ := open(t)
	create(t, s, message("m"))
	assign(t, s, 4, 4)
	steps := []store.Step{
		{To: wire.StatusAccepted, InstallID: "ins_a", Attempt: 1, At: 11},
		{To: wire.Queued, InstallID: "ins_a", Attempt: 1, At: 12, Evidence: store.EvidenceOsascript, ErrorCode: "messages_down", ErrorNumber: -600, ErrorMessage: "Messages is not running."},
	}
	for _, step := range steps {
		step.ID, step.Now = "m", 100
		if _, ok := advance(t, s, step); !ok {
			t.Fatalf("%+v changed nothing", step)
		}
	}
	assign(t, s, 4, 4)
	for _, step := range []store.Step{
		{To: wire.StatusSending, InstallID: "ins_a", Attempt: 2, At: 13},
		{To: wire.StatusSent, At: 14, AppleGUID: "guid", Evidence: store.EvidenceRow},
		{To: wire.StatusDelivered, At: 15, Evidence: store.EvidenceRow},
	} {
		step.ID, step.Now = "m", 100
		if _, ok := advance(t, s, step); !ok {
			t.Fatalf("%+v changed nothing", step)
		}
	}
	advance(t, s, store.Step{ID: "m", To: wire.StatusSent, At: 16, Evidence: store.EvidenceRow}) // late
	advance(t, s, store.Step{ID: "m", To: wire.Queued, InstallID: "ins_a", Attempt: 1, At: 17})  // stale
	want := []entry{
		{wire.Queued, 0, "api", "", ""},
		{wire.Queued, 1, "assigned", "", ""},
		{wire.StatusAccepted, 1, "relay", "", ""},
		{wire.Queued, 1, "osascript", "", "messages_down"},
		{wire.Queued, 2, "assigned", "", ""},
		{wire.StatusSending, 2, "relay", "", ""},
		{wire.StatusSent, 2, "row", "guid", ""},
		{wire.StatusDelivered, 2, "row", "guid", ""},
	}
	if got := timeline(t, s, "m"); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	all, err := s.Timeline(t.Context(), store.Message{ID: "m", AccountID: accountID})
	if err != nil {
		t.Fatal(err)
	}
	if e := all[3]; e.At != 12 || e.RecordedAt != 100 || e.Number != -600 || e.Detail != "Messages is not running." {
		t.Errorf("%+v", e)
	}
	if list, err := s.Timeline(t.Context(), store.Message{ID: "m", AccountID: "team_other"}); len(list) != 1 || list[0].N != 1 || err != nil {
		t.Errorf("another account sees %v, %v", list, err)
	}
	in := to("in", "a")
	in.Direction, in.Status, in.AppleGUID, in.SentAt = store.Inbound, wire.StatusReceived, "row", 7
	create(t, s, in)
	if got := timeline(t, s, "in"); !slices.Equal(got, []entry{{wire.StatusReceived, 0, "row", "row", ""}}) {
		t.Errorf("%v", got)
	}
}

// A request to cancel is noted once, only of what a relay has not begun, and whatever
// becomes of the message answers it.
func TestRequestCancel(t *testing.T) {
	s, _ := open(t)
	create(t, s, message("m"))
	request := func() (m store.Message, asked bool) {
		t.Helper()
		write(t, s, func(tx *store.Tx) (err error) {
			m, asked, err = tx.RequestCancel(store.Message{ID: "m"}, 50)
			return err
		})
		return m, asked
	}
	if _, asked := request(); asked {
		t.Error("a message that nobody has was to be asked for")
	}
	assign(t, s, 4, 4)
	if m, asked := request(); !asked || m.CancelRequested != 50 {
		t.Errorf("%+v, %t", m, asked)
	}
	if _, asked := request(); asked {
		t.Error("asked twice")
	}
	if m, _ := advance(t, s, store.Step{ID: "m", To: wire.StatusAccepted, InstallID: "ins_a", Attempt: 1, Now: 60}); m.CancelRequested != 50 {
		t.Errorf("its arrival at the relay cleared the request: %+v", m)
	}
	if m, _ := advance(t, s, store.Step{ID: "m", To: wire.StatusSending, InstallID: "ins_a", Attempt: 1, Now: 70}); m.CancelRequested != 0 {
		t.Errorf("it is still asked for: %+v", m)
	}
	if _, asked := request(); asked {
		t.Error("what is with Messages was to be asked for")
	}
	want := []entry{{wire.Queued, 0, "api", "", ""}, {wire.Queued, 1, "assigned", "", ""}, {wire.Queued, 1, "cancel", "", "cancel_requested"},
		{wire.StatusAccepted, 1, "relay", "", ""}, {wire.StatusSending, 1, "relay", "", ""}}
	if got := timeline(t, s, "m"); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestBeforeIsTheOldestOpenOneOfThePeer(t *testing.T) {
	s, _ := open(t)
	create(t, s, to("a1", "a"), to("a2", "a"), to("b1", "b"), to("a3", "a"))
	third, err := s.Message(t.Context(), accountID, "a3")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Before(t.Context(), third); m.ID != "a1" || err != nil {
		t.Errorf("%s, %v", m.ID, err)
	}
	assign(t, s, 1, 1)
	advance(t, s, store.Step{ID: "a1", To: wire.StatusUnknown, InstallID: "ins_a", Attempt: 1})
	if m, err := s.Before(t.Context(), third); m.ID != "a2" || err != nil {
		t.Errorf("%s, %v", m.ID, err)
	}
	first, err := s.Message(t.Context(), accountID, "b1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Before(t.Context(), first); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("something goes before the first: %v", err)
	}
}

func TestRememberedAnswers(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	if at, err := s.OldestRemembered(ctx); at != 0 || err != nil {
		t.Errorf("%d, %v", at, err)
	}
	for i := range 5 {
		write(t, s, func(tx *store.Tx) error {
			return tx.Remember(store.Remembered{AccountID: accountID, Key: fmt.Sprint(i), Fingerprint: "f", Status: 202, Body: "{\"a\":\"\u2028\"}", CreatedAt: int64(10 + i)})
		})
	}
	want := store.Remembered{AccountID: accountID, Key: "0", Fingerprint: "f", Status: 202, Body: "{\"a\":\"\u2028\"}", CreatedAt: 10}
	same(t, want)(s.Remembered(ctx, accountID, "0"))
	if _, err := s.Remembered(ctx, "team_other", "0"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another account's key: %v", err)
	}
	if err := s.Write(ctx, func(tx *store.Tx) error { return tx.Remember(want) }); !errors.Is(err, store.ErrExists) {
		t.Errorf("a key was used twice: %v", err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.Forget(14, 2) })
	same(t, int64(12))(s.OldestRemembered(ctx))
	write(t, s, func(tx *store.Tx) error { return tx.Forget(14, 10) })
	same(t, int64(14))(s.OldestRemembered(ctx))
}

// What is to be done after a commit is done exactly where there was one, and before
// the writer goes on.
func TestOnCommit(t *testing.T) {
	s, _ := open(t)
	broken := errors.New("broken")
	var called atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			seen := false
			err := s.Write(t.Context(), func(tx *store.Tx) error {
				tx.OnCommit(func() { called.Add(1); seen = true })
				if i%2 == 1 {
					return broken
				}
				return nil
			})
			if i%2 == 1 && (seen || !errors.Is(err, broken)) || i%2 == 0 && (!seen || err != nil) {
				t.Errorf("writer %d: called %t, %v", i, seen, err)
			}
		})
	}
	all.Wait()
	if called.Load() != 25 {
		t.Errorf("called %d times", called.Load())
	}
}

func TestPaceOfALineIsKept(t *testing.T) {
	s, _ := open(t)
	write(t, s, func(tx *store.Tx) error { return tx.SetPaced(lineID, 1234567) })
	l, err := s.Line(t.Context(), lineID)
	if err != nil || l.PacedUntil != 1234567 {
		t.Fatalf("%+v, %v", l, err)
	}
	l.Burst, l.NewConversations, l.PacedUntil = 3, "10", 0
	write(t, s, func(tx *store.Tx) error { return tx.UpdateLine(l) })
	if l, err = s.Line(t.Context(), lineID); err != nil || l.PacedUntil != 1234567 || l.Burst != 3 || l.NewConversations != "10" {
		t.Errorf("%+v, %v", l, err)
	}
	if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.SetPaced("num_none", 1) }); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
