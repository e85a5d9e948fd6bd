package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// fresh is a program that answers as a fresh process of ours would.
type fresh struct{ dir string }

func newFresh(t *testing.T) fresh {
	t.Helper()
	f := fresh{t.TempDir()}
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1 $2 $3 $4\" = 'probe chat-db --chat-db /chat.db' ] || exit 99\necho x >> %[1]s/asked\nexit $(cat %[1]s/code)\n", f.dir)
	if err := os.WriteFile(f.program(), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f fresh) program() string { return filepath.Join(f.dir, "bluerelay") }

// answer is what it says from now on.
func (f fresh) answer(t *testing.T, code int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, "code"), fmt.Append(nil, code), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f fresh) asked(t *testing.T) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, "asked"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return len(data) / len("x\n")
}

// process is the gate of a daemon that has just begun on that state folder.
func (f fresh) process(state string) *gate {
	return newGate(&Relay{log: slog.New(slog.DiscardHandler), cfg: Config{
		StateDir: state, ChatDB: "/chat.db", Fresh: f.program(), FreshGap: time.Nanosecond, RestartGap: time.Nanosecond,
	}})
}

// TestOneRestartForEachGrant follows a permission through what a person may do with it.
func TestOneRestartForEachGrant(t *testing.T) {
	f, state := newFresh(t), t.TempDir()
	want := func(g *gate, code int, want error, why string) {
		t.Helper()
		f.answer(t, code)
		if err := g.refused(t.Context()); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Fatalf("%s: %v, want %v", why, err, want)
		}
	}
	first := f.process(state)
	for _, code := range []int{FreshRefused, FreshMissing, FreshOther, FreshRefused, 99} {
		want(first, code, nil, "no grant yet")
	}
	want(first, FreshReadable, ErrRestart, "the grant")

	second := f.process(state)
	for range 3 {
		want(second, FreshReadable, nil, "the same grant, of which a new process has nothing")
	}
	want(second, FreshRefused, nil, "it was taken back")
	want(second, FreshReadable, ErrRestart, "and given again")

	third := f.process(state)
	third.set(AccessReadable)
	if a, err := ReadAccess(state); err != nil || a.State != AccessReadable || a.Spent || a.Since.IsZero() {
		t.Errorf("%+v %v", a, err)
	}
	want(third, FreshReadable, ErrRestart, "lost while it ran, and given again")
}

// A permission that comes and goes does not make launchd spin.
func TestNoRestartInHaste(t *testing.T) {
	f, state := newFresh(t), t.TempDir()
	f.answer(t, FreshReadable)
	if err := f.process(state).refused(t.Context()); !errors.Is(err, ErrRestart) {
		t.Fatal(err)
	}
	hasty := f.process(state)
	hasty.cfg.RestartGap = time.Hour
	for range 2 {
		f.answer(t, FreshRefused)
		if err := hasty.refused(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.answer(t, FreshReadable)
		if err := hasty.refused(t.Context()); err != nil {
			t.Fatalf("again within the hour: %v", err)
		}
	}
	hasty.known.Restarted = time.Now().Add(-2 * time.Hour)
	if err := hasty.refused(t.Context()); !errors.Is(err, ErrRestart) {
		t.Errorf("after two hours: %v", err)
	}
}

// Without a note of the restart there is none: nothing would end them.
func TestNoRestartWithoutANote(t *testing.T) {
	f, state := newFresh(t), filepath.Join(t.TempDir(), "gone")
	f.answer(t, FreshReadable)
	if err := f.process(state).refused(t.Context()); err != nil {
		t.Errorf("%v", err)
	}
}

func TestFreshProcessIsAskedRarely(t *testing.T) {
	f, state := newFresh(t), t.TempDir()
	f.answer(t, FreshRefused)
	g := f.process(state)
	g.cfg.FreshGap = time.Hour
	for range 5 {
		if err := g.refused(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.asked(t); n != 1 {
		t.Errorf("asked %d times", n)
	}
	after, err := os.Stat(filepath.Join(state, accessFile))
	if err != nil {
		t.Fatal(err)
	}
	g.set(AccessRefused)
	again, err := os.Stat(filepath.Join(state, accessFile))
	if err != nil || !os.SameFile(after, again) {
		t.Errorf("what is no news is written again: %v", err)
	}

	g.cfg.Fresh = ""
	g.asked = time.Time{}
	if err := g.refused(t.Context()); err != nil || f.asked(t) != 1 {
		t.Errorf("asked where nobody is to be asked: %v", err)
	}
	if a, err := ReadAccess(filepath.Join(state, "none")); a != nil || err != nil {
		t.Errorf("%+v %v", a, err)
	}
	if err := os.WriteFile(filepath.Join(state, accessFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAccess(state); err == nil {
		t.Error("a damaged note was read")
	}
	f.process(state).set(AccessReadable)
	if a, err := ReadAccess(state); err != nil || a.State != AccessReadable {
		t.Errorf("a damaged note stays: %+v %v", a, err)
	}
}

func TestFreshLook(t *testing.T) {
	dir := t.TempDir()
	if code := FreshLook(t.Context(), filepath.Join(dir, "chat.db")); code != FreshMissing {
		t.Errorf("missing: %d", code)
	}
	odd := filepath.Join(dir, "odd.db")
	if err := os.WriteFile(odd, []byte("no database at all, by any means"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := FreshLook(t.Context(), odd); code != FreshOther {
		t.Errorf("odd: %d", code)
	}
}
