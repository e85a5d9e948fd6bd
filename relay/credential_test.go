package relay

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/wire"
)

var paired = Credential{
	Server: "https://cloud.example.com", RelayID: "rel_1", Secret: "rsk_very_secret", Account: "Acme", Line: ownNumber,
	Scope: ScopeAllow, Allow: []string{alice, "bob@example.com"},
}

func TestCredentialRoundTrip(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []Credential{paired, {Server: "http://localhost:1", Secret: "s", Scope: ScopeAll}} {
		if err := c.save(dir); err != nil {
			t.Fatal(err)
		}
		got, err := LoadCredential(dir)
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Errorf("got %+v, %v, want %+v", got, err, c)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != credentialFile {
		t.Errorf("the folder holds %v", entries)
	}
	info, err := os.Stat(filepath.Join(dir, credentialFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestCredentialModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := paired.save(dir); err != nil {
		t.Fatal(err)
	}
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o601: false, 0o666: false} {
		if err := os.Chmod(filepath.Join(dir, credentialFile), mode); err != nil {
			t.Fatal(err)
		}
		c, err := LoadCredential(dir)
		if (err == nil) != good {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if !good && (c.Secret != "" || !strings.Contains(err.Error(), "chmod 600")) {
			t.Errorf("mode %04o: %+v, %v", mode, c, err)
		}
	}
}

func TestNotPaired(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "gone")} {
		if _, err := LoadCredential(dir); !errors.Is(err, ErrNotPaired) {
			t.Errorf("got %v", err)
		}
	}
}

func TestDamagedCredential(t *testing.T) {
	t.Parallel()
	whole, err := json.Marshal(paired)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"empty":     "",
		"zeros":     strings.Repeat("\x00", 100),
		"cut":       string(whole[:len(whole)/2]),
		"no secret": `{"server":"https://cloud.example.com"}`,
		"no server": `{"secret":"rsk_very_secret"}`,
		"no object": `"rsk_very_secret"`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, credentialFile), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadCredential(dir)
		if err == nil || !strings.Contains(err.Error(), "pair this Mac again") {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "very_secret") {
			t.Errorf("%s: the secret is in %q", name, err)
		}
	}
}

func TestCredentialInAFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if err := paired.save(filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("it was saved")
	}
}

func TestSocketURL(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"https://cloud.example.com":         "wss://cloud.example.com/relay/v1/socket",
		"https://cloud.example.com:8443/br": "wss://cloud.example.com:8443/br/relay/v1/socket",
		"http://127.0.0.1:8787":             "ws://127.0.0.1:8787/relay/v1/socket",
	} {
		if got := (Credential{Server: server}).socketURL(); got != want {
			t.Errorf("%s: %s, want %s", server, got, want)
		}
	}
}

func TestCheckServer(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]struct{ plain, insecure bool }{
		"https://cloud.example.com":    {true, true},
		"https://10.0.0.1":             {true, true},
		"http://localhost:8787":        {true, true},
		"http://127.0.0.1:8787":        {true, true},
		"http://127.8.9.1":             {true, true},
		"http://[::1]:8787":            {true, true},
		"http://cloud.example.com":     {false, true},
		"http://192.168.1.5:8787":      {false, true},
		"http://localhost.example.com": {false, true},
		"http://127.0.0.1.example.com": {false, true},
		"http://0.0.0.0":               {false, true},
		"ftp://127.0.0.1":              {false, false},
		"file://localhost/etc":         {false, false},
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkServer(u, false); (err == nil) != ok.plain {
			t.Errorf("%s: %v", address, err)
		}
		if err := checkServer(u, true); (err == nil) != ok.insecure {
			t.Errorf("%s, insecure: %v", address, err)
		}
	}
}

// TestScope has three people write, one of whom the API has written to and one of
// whom is on the list.
func TestScope(t *testing.T) {
	t.Parallel()
	const started, listed, stranger = "Carol@Example.com", alice, bob
	for name, tt := range map[string]struct {
		c    Credential
		want []string
	}{
		"all":                 {Credential{Scope: ScopeAll}, []string{started, listed, stranger}},
		"an older credential": {Credential{}, []string{started, listed, stranger}},
		"started":             {Credential{Scope: ScopeStarted, Allow: []string{stranger}}, []string{started}},
		"allow":               {Credential{Scope: ScopeAllow, Allow: []string{alice, "dave@example.com"}}, []string{listed}},
		"allow in any case":   {Credential{Scope: ScopeAllow, Allow: []string{"carol@example.COM"}}, []string{started}},
		"allow nobody":        {Credential{Scope: ScopeAllow}, nil},
		"allow an empty line": {Credential{Scope: ScopeAllow, Allow: []string{""}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, m := newJournal(t), newMessages(t)
			give(t, j, order("msg_1", 1, strings.ToLower(started), "hello"))
			clearOutbox(t, j)
			o := m.look(j, tt.c)
			for i, from := range []string{started, listed, stranger} {
				m.say("G-"+string(rune('a'+i)), from, "private words", false, time.Now())
			}
			scan(t, o)
			var got []string
			for _, r := range reportsOf(t, j) {
				if r.Kind != wire.Received {
					t.Errorf("an unexpected report: %+v", r)
					continue
				}
				got = append(got, r.Inbound.From)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("what left the Mac is from %q, want %q", got, tt.want)
			}
			c, err := j.cursor(t.Context())
			if err != nil || c.RowID != 3 {
				t.Errorf("the cursor is at %+v, %v", c, err)
			}
		})
	}
}

// The daily check of the Mac is written to the line's own number. It is confirmed from its
// row, and what the owner notes there for himself stays where only those count whom the
// API has written to.
func TestScopeStartedAndNotesToOneself(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.o = s.look(s.j, Credential{Scope: ScopeStarted, Line: ownNumber})
	mark, err := s.o.db.Mark(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	give(t, s.j, order("msg_1", 1, ownNumber, "the daily check"))
	one := sendIn(t, s.j, "msg_1")
	if err := s.j.arm(t.Context(), &one, mark, participant, time.Now()); err != nil {
		t.Fatal(err)
	}
	clearOutbox(t, s.j)
	noted := func(guid, text string, more columns) {
		c := columns{"text": text, "handle": ownNumber, "destination_caller_id": ownNumber}
		maps.Copy(c, more)
		s.row(guid, c)
		s.join(guid, "any;-;"+ownNumber)
	}
	own := columns{"is_from_me": 1, "is_sent": 1}
	noted("CHECK", "the daily check", own)
	noted("BACK", "the daily check", nil)
	s.wants("sent msg_1")
	s.set("CHECK", "is_delivered = 1, date_delivered = ?", apple(time.Now()))
	s.wants("delivered msg_1")
	s.impatient()
	noted("NOTE", "milk", own)
	noted("COPY", "milk", nil)
	noted("OTHER", "eggs", nil) // from another device, with no own row
	noted("HEART", "", columns{"associated_message_type": 2000, "associated_message_guid": "p:0/NOTE"})
	s.wants()
	s.wants()
}
