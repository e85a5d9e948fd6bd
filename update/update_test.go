package update

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is a script that says that it is a version.
func program(version string) string { return "#!/bin/sh\necho bluerelay version " + version + "\n" }

// shop serves one release.
type shop struct {
	*httptest.Server
	mu       sync.Mutex // of what follows: other processes call the server
	manifest []byte
	files    map[string]string
	before   func(*http.Request) // a request is answered
}

func newShop(t testing.TB) *shop {
	s := &shop{files: map[string]string{}, before: func(*http.Request) {}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.before(r)
		if r.URL.Path == "/releases/manifest.json" {
			_, _ = w.Write(s.manifest)
			return
		}
		content, ok := s.files[strings.TrimPrefix(r.URL.Path, "/releases/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(content))
	}))
	t.Cleanup(s.Close)
	return s
}

// publish makes a program the newest version.
func (s *shop) publish(t testing.TB, version, content string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bluerelay-"+version)
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := Describe(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Platform, f.MinimumMacOS = "darwin/universal", "13.0"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[f.Name] = content
	s.manifest = sign(t, Manifest{Version: version, Published: time.Now(), Files: []File{f}})
}

// updater is one of version 1.0.0 that notes what is done with its place.
func (s *shop) updater(t testing.TB) (u Updater, done *[]string) {
	done = new([]string)
	note := func(what string) error { *done = append(*done, what); return nil }
	return Updater{
		Source: Source{URL: s.URL + "/releases/manifest.json", Keys: key.Public()}, Dir: t.TempDir(), Version: "1.0.0", Platform: "darwin/arm64", MacOS: "14.5",
		Place: Place{
			Replace: func(_ context.Context, path, version string) error {
				content, err := os.ReadFile(path)
				return errors.Join(err, note("replace "+version+" "+strings.TrimSpace(strings.TrimPrefix(string(content), "#!/bin/sh\necho "))))
			},
			Rollback: func() error { return note("rollback") },
			Keep:     func() error { return note("keep") },
		},
	}, done
}

func wantState(t testing.TB, u Updater, want State) {
	t.Helper()
	if got, err := ReadState(u.Dir); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the state is %+v, %v, want %+v", got, err, want)
	}
}

// The way of an update that goes well.
func TestUpdate(t *testing.T) {
	s := newShop(t)
	u, done := s.updater(t)
	s.publish(t, "1.0.0", program("1.0.0"))
	if _, err := u.Check(t.Context()); !errors.Is(err, ErrCurrent) {
		t.Errorf("%v", err)
	}
	s.publish(t, "1.1.0", program("1.1.0"))
	o, err := u.Check(t.Context())
	if err != nil || o.Version.String() != "1.1.0" {
		t.Fatal(o, err)
	}
	if did, err := u.Settle(t.Context()); did || err != nil {
		t.Errorf("nothing is ready: %t, %v", did, err)
	}
	for range 2 { // the second time nothing is downloaded
		if err := u.Fetch(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s.files = nil
	}
	if did, err := u.Settle(t.Context()); !did || err != nil {
		t.Fatal(did, err)
	}
	if _, err := os.Stat(filepath.Join(u.Dir, "update")); !os.IsNotExist(err) {
		t.Errorf("what was downloaded is still there: %v", err)
	}
	wantState(t, u, State{Seen: "1.1.0", Trial: &Trial{From: "1.0.0", To: "1.1.0"}})
	u.Version = "1.1.0"
	if again, sentence, err := u.Begin(); again || err != nil || !strings.Contains(sentence, "start 1 of 3") {
		t.Errorf("%t %q %v", again, sentence, err)
	}
	for i := range 2 {
		if good, err := u.Good(); good != (i == 0) || err != nil {
			t.Errorf("%t %v", good, err)
		}
	}
	if again, sentence, err := u.Begin(); again || sentence != "" || err != nil {
		t.Errorf("%t %q %v", again, sentence, err)
	}
	wantState(t, u, State{Seen: "1.1.0"})
	if want := []string{"replace 1.1.0 bluerelay version 1.1.0", "keep"}; !slices.Equal(*done, want) {
		t.Errorf("%q", *done)
	}
}

// What is not for this machine is not even downloaded.
func TestCheckRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*shop, *Updater)
		want   string
	}{
		"an older version":     {func(_ *shop, u *Updater) { u.Version = "1.2.0" }, "bringing an old version back"},
		"older than one seen":  {func(_ *shop, u *Updater) { seen(u, "1.3.0") }, "bringing an old version back"},
		"one that has failed":  {func(_ *shop, u *Updater) { failed(u, "1.1.0") }, "did not come up on this machine"},
		"another machine":      {func(_ *shop, u *Updater) { u.Platform = "linux/arm64" }, "was not published for linux/arm64"},
		"an old macOS":         {func(_ *shop, u *Updater) { u.MacOS = "12.7.6" }, "needs macOS 13.0, and this is 12.7.6"},
		"an odd macOS":         {func(_ *shop, u *Updater) { u.MacOS = "Sonoma" }, "cannot be told"},
		"a build of one's own": {func(_ *shop, u *Updater) { u.Version = "dev" }, "does not update itself"},
		"another key":          {func(_ *shop, u *Updater) { u.Source.Keys = NewPrivateKey().Public() }, "is not signed by a key"},
		"no key":               {func(_ *shop, u *Updater) { u.Source.Keys = nil }, "is not signed by a key"},
		"a changed manifest": {func(s *shop, _ *Updater) {
			s.manifest = []byte(strings.Replace(string(s.manifest), "1.1.0", "1.1.1", 1))
		}, "is not signed by a key"},
		"no manifest":             {func(s *shop, _ *Updater) { s.manifest = []byte("<html>") }, "this is no manifest"},
		"an endless manifest":     {func(s *shop, _ *Updater) { s.manifest = make([]byte, 10<<20) }, "larger than"},
		"no server":               {func(s *shop, _ *Updater) { s.Close() }, "reach 127.0.0.1"},
		"no such page":            {func(_ *shop, u *Updater) { u.Source.URL += "x" }, "answered 404"},
		"plain http":              {func(_ *shop, u *Updater) { u.Source.URL = "http://example.com/manifest.json" }, "https only"},
		"a file":                  {func(_ *shop, u *Updater) { u.Source.URL = "file:///etc/passwd" }, "no address"},
		"no address":              {func(_ *shop, u *Updater) { u.Source.URL = "" }, "no address"},
		"a redirect to elsewhere": {func(s *shop, u *Updater) { u.Source.URL = redirect(s, "http://example.com/manifest.json") }, "must not come from"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			u, done := s.updater(t)
			s.publish(t, "1.1.0", program("1.1.0"))
			tt.change(s, &u)
			if o, err := u.Check(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v, want %q", o, err, tt.want)
			}
			if len(*done) > 0 {
				t.Errorf("%q", *done)
			}
		})
	}
}

func seen(u *Updater, version string) {
	_ = change(u.Dir, func(s *State) error { s.Seen = version; return nil })
}

func failed(u *Updater, version string) {
	_ = change(u.Dir, func(s *State) error { s.refuse(version); return nil })
}

func redirect(s *shop, to string) string {
	server := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
	s.Config.RegisterOnShutdown(server.Close)
	return server.URL + "/manifest.json"
}

// What comes is not what the manifest says, or does not run: nothing is ready then.
func TestFetchRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		published, served string
		want              string
	}{
		"another program":       {program("1.1.0"), program("6.6.6"), "SHA-256"},
		"one that is longer":    {program("1.1.0"), program("1.1.0") + "#", "another size"},
		"one that is cut":       {program("1.1.0"), program("1.1.0")[:20], "another size"},
		"none":                  {program("1.1.0"), "", "answered 404"},
		"an old version":        {program("1.0.0"), program("1.0.0"), `says that it is "1.0.0"`},
		"another spelling":      {program("v1.1.0"), program("v1.1.0"), `says that it is "v1.1.0"`},
		"one that says nothing": {"#!/bin/sh\n", "#!/bin/sh\n", "does not say what it is"},
		"one that fails":        {"#!/bin/sh\nexit 3\n", "#!/bin/sh\nexit 3\n", "does not start on this machine"},
		"no program":            {"\x7fELF and so on", "\x7fELF and so on", "does not start on this machine"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			u, _ := s.updater(t)
			s.publish(t, "1.1.0", tt.published)
			if s.files["bluerelay-1.1.0"] = tt.served; tt.served == "" {
				s.files = nil
			}
			o, err := u.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := u.Fetch(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if did, err := u.Settle(t.Context()); did || err != nil {
				t.Errorf("%t %v", did, err)
			}
		})
	}
}

// A version that has lost a flag of the daemon's would end before anybody could notice.
func TestFetchTriesTheArguments(t *testing.T) {
	for understands, want := range map[string]string{"--old": "", "--new": "does not understand the arguments"} {
		s := newShop(t)
		u, _ := s.updater(t)
		u.Arguments = []string{"run", "--old"}
		s.publish(t, "1.1.0", "#!/bin/sh\n[ \"$1\" = --version ] && { echo 1.1.0; exit; }\n[ \"$*\" = \"run "+understands+" --help\" ]\n")
		o, err := u.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Fetch(t.Context(), o); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// What lies ready is looked at again before it is put in place.
func TestSettleRefuses(t *testing.T) {
	for name, change := range map[string]func(*Updater, string) error{
		"changed":       func(_ *Updater, path string) error { return os.WriteFile(path, []byte(program("1.1.1")), 0o700) },
		"gone":          func(_ *Updater, path string) error { return os.Remove(path) },
		"not newer now": func(u *Updater, _ string) error { u.Version = "1.1.0"; return nil },
		"failed since":  func(u *Updater, _ string) error { failed(u, "1.1.0"); return nil },
	} {
		s := newShop(t)
		u, done := s.updater(t)
		s.publish(t, "1.1.0", program("1.1.0"))
		o, err := u.Check(t.Context())
		if err == nil {
			err = u.Fetch(t.Context(), o)
		}
		if err == nil {
			err = change(&u, filepath.Join(u.Dir, "update", "bluerelay-1.1.0"))
		}
		if err != nil {
			t.Fatal(err)
		}
		if did, err := u.Settle(t.Context()); did || err == nil {
			t.Errorf("%s: %t %v", name, did, err)
		}
		if did, err := u.Settle(t.Context()); did || err != nil || len(*done) > 0 {
			t.Errorf("%s, again: %t %v %q", name, did, err, *done)
		}
	}
}

// A version that cannot be put in place leaves the present one as it was, and is remembered
// until one can.
func TestReplaceFails(t *testing.T) {
	s := newShop(t)
	u, _ := s.updater(t)
	s.publish(t, "1.1.0", program("1.1.0"))
	u.Place.Replace = func(context.Context, string, string) error { return errors.New("no space") }
	o, err := u.Check(t.Context())
	if err == nil {
		err = u.Fetch(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
	if did, err := u.Settle(t.Context()); did || err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("%t %v", did, err)
	}
	failed, err := ReadState(u.Dir)
	if err != nil || failed.Failed == nil || failed.Failed.Version != "1.1.0" || time.Since(failed.Failed.At) > time.Minute {
		t.Fatalf("%+v %v", failed.Failed, err)
	}
	wantState(t, u, State{Seen: "1.1.0", Failed: failed.Failed})
	if again, sentence, err := u.Begin(); again || sentence != "" || err != nil {
		t.Errorf("%t %q %v", again, sentence, err)
	}
	u.Place.Replace = func(context.Context, string, string) error { return nil }
	if err := u.Fetch(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if did, err := u.Settle(t.Context()); !did || err != nil {
		t.Errorf("%t %v", did, err)
	}
	wantState(t, u, State{Seen: "1.1.0", Trial: &Trial{From: "1.0.0", To: "1.1.0"}})
}

// A version on trial is not exchanged for a third one: the first, which is known to work,
// would be gone.
func TestUpdateDuringATrial(t *testing.T) {
	s := newShop(t)
	u, done := s.updater(t)
	s.publish(t, "1.2.0", program("1.2.0"))
	o, err := u.Check(t.Context())
	if err == nil {
		err = u.Fetch(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
	u.Version = "1.1.0"
	trial := &Trial{From: "1.0.0", To: "1.1.0", Starts: 1}
	if err := u.setTrial(trial); err != nil {
		t.Fatal(err)
	}
	before, err := ReadState(u.Dir)
	if err != nil || before.Ready == nil {
		t.Fatal(before, err)
	}
	if did, err := u.Settle(t.Context()); did || err != nil {
		t.Errorf("%t %v", did, err)
	}
	if err := u.Fetch(t.Context(), o); err == nil || !strings.Contains(err.Error(), "1.1.0 is still on trial") {
		t.Errorf("%v", err)
	}
	wantState(t, u, before)
	if good, err := u.Good(); !good || err != nil {
		t.Errorf("%t %v", good, err)
	}
	if did, err := u.Settle(t.Context()); !did || err != nil || !slices.Equal(*done, []string{"keep", "replace 1.2.0 bluerelay version 1.2.0"}) {
		t.Errorf("%t %v %q", did, err, *done)
	}
}

// A version that did not come up is taken back at the next start, where it could not be at
// this one; without a former version there is nothing to try.
func TestRollbackFails(t *testing.T) {
	for _, tt := range []struct {
		fails error
		ends  bool
	}{{errors.New("another install is under way"), false}, {ErrNoFormer, true}} {
		u, done := newShop(t).updater(t)
		trial := Trial{From: "0.9.0", To: "1.0.0", Starts: maxStarts}
		if err := u.setTrial(&trial); err != nil {
			t.Fatal(err)
		}
		works := u.Place.Rollback
		u.Place.Rollback = func() error { return fmt.Errorf("put it back: %w", tt.fails) }
		if again, _, err := u.Begin(); again || !errors.Is(err, tt.fails) {
			t.Errorf("%t %v", again, err)
		}
		want := State{Refused: []string{"1.0.0"}, Trial: &trial}
		if tt.ends {
			want.Trial = nil
		}
		wantState(t, u, want)
		u.Place.Rollback = works
		if again, _, err := u.Begin(); again == tt.ends || err != nil {
			t.Errorf("%t %v", again, err)
		}
		if got := slices.Contains(*done, "rollback"); got == tt.ends {
			t.Errorf("%v: %q", tt.fails, *done)
		}
	}
}

func TestStateThatCannotBeRead(t *testing.T) {
	u, _ := newShop(t).updater(t)
	for _, data := range []string{"", "{", "[]", strings.Repeat("\x00", 100)} {
		if err := os.WriteFile(filepath.Join(u.Dir, stateFile), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, _, err := u.Begin(); again || err != nil {
			t.Errorf("%q: %t %v", data, again, err)
		}
	}
	var s State
	for i := range 2 * maxRefused {
		s.refuse(fmt.Sprintf("1.0.%d", i))
		s.refuse(fmt.Sprintf("1.0.%d", i))
	}
	if len(s.Refused) != maxRefused || s.Refused[maxRefused-1] != fmt.Sprintf("1.0.%d", 2*maxRefused-1) {
		t.Errorf("%q", s.Refused)
	}
}
