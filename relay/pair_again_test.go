package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/wire"
)

// The environment that makes the test binary pair, as a child of TestPairKilled.
const (
	pairerURL = "RELAY_TEST_PAIR"
	pairerDir = "RELAY_TEST_PAIR_STATE"
	pairerDB  = "RELAY_TEST_PAIR_CHATDB"
)

// TestPairer is the child of TestPairKilled.
func TestPairer(t *testing.T) {
	if os.Getenv(pairerURL) == "" {
		t.Skip("only as a child of TestPairKilled")
	}
	pair(t, Pairing{SetupURL: os.Getenv(pairerURL), StateDir: os.Getenv(pairerDir), ChatDB: os.Getenv(pairerDB)})
}

// TestPairKilled kills a pairing while the cloud has its request: nobody on the Mac
// knows then that the cloud counts on it, and what comes is news all the same.
func TestPairKilled(t *testing.T) {
	t.Parallel()
	cloud, m := newPairingCloud(t), newMessages(t)
	m.say("G-1", alice, "before", false, time.Now().Add(-time.Hour))
	p := cloud.pairing(t)
	p.ChatDB = m.path
	good := cloud.answer.Load()
	ctx, kill := context.WithCancel(t.Context())
	defer kill()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestPairer$")
	child.Env = append(os.Environ(), pairerURL+"="+p.SetupURL, pairerDir+"="+p.StateDir, pairerDB+"="+p.ChatDB)
	cloud.answer.Store(new(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kill()
		<-r.Context().Done()
	})))
	out, err := child.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Exited() {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	cloud.answer.Store(good)
	m.say("G-2", alice, "between", false, time.Now())
	wantNews(t, m, p, "G-2")
}

// wantNews pairs and demands that these rows, and no others, leave the Mac then.
func wantNews(t testing.TB, m *messages, p Pairing, guids ...string) {
	t.Helper()
	credential := pair(t, p)
	j := reopen(t, p.StateDir)
	defer j.close()
	scan(t, m.look(j, credential))
	list := reportsOf(t, j)
	if len(list) != len(guids) {
		t.Fatalf("what leaves the Mac is %+v, want %v", list, guids)
	}
	for i, r := range list {
		if r.GUID != guids[i] {
			t.Errorf("report %d is of %s, want %s", i, r.GUID, guids[i])
		}
	}
}

// lostAnswer is a network that loses the answer to each request.
type lostAnswer struct{}

func (lostAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		resp.Body.Close()
	}
	return nil, errors.Join(errors.New("the connection is gone"), err)
}

// TestPairCutOff: a pairing that is repeated reads from where the first one stood, as
// far as it is the same one again.
func TestPairCutOff(t *testing.T) {
	t.Parallel()
	type step = func(*cutOff, *testing.T)
	for name, tt := range map[string]struct {
		first, between step
		news           bool
	}{
		"repeated":               {(*cutOff).losesAnswer, func(*cutOff, *testing.T) {}, true},
		"refused in between":     {(*cutOff).losesAnswer, (*cutOff).isRefused, true},
		"cut off once more":      {(*cutOff).losesAnswer, (*cutOff).losesAnswer, true},
		"cut off further on":     {(*cutOff).losesAnswer, (*cutOff).cannotSave, true},
		"cut off at the end":     {(*cutOff).cannotSave, func(*cutOff, *testing.T) {}, true},
		"chat.db not readable":   {(*cutOff).losesAnswer, (*cutOff).cannotRead, true},
		"at another server":      {(*cutOff).losesAnswer, (*cutOff).moves, false},
		"a day later":            {(*cutOff).losesAnswer, (*cutOff).isOld, false},
		"without its journal":    {(*cutOff).losesAnswer, (*cutOff).losesJournal, false},
		"refused the first time": {(*cutOff).isRefused, func(*cutOff, *testing.T) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCutOff(t)
			tt.first(c, t)
			c.m.say("G-2", alice, "between", false, time.Now())
			tt.between(c, t)
			if tt.news {
				wantNews(t, c.m, c.p, "G-2")
			} else {
				wantNews(t, c.m, c.p)
			}
		})
	}
}

// cutOff is a Mac whose pairing is cut off.
type cutOff struct {
	cloud *pairingCloud
	m     *messages
	p     Pairing
}

func newCutOff(t *testing.T) *cutOff {
	c := &cutOff{cloud: newPairingCloud(t), m: newMessages(t)}
	c.m.say("G-1", alice, "before", false, time.Now().Add(-time.Hour))
	c.p = c.cloud.pairing(t)
	c.p.ChatDB = c.m.path
	return c
}

// losesAnswer: the cloud swaps the token, and the Mac never hears of it.
func (c *cutOff) losesAnswer(t *testing.T) {
	t.Helper()
	p := c.p
	p.Transport = lostAnswer{}
	if _, err := p.Pair(t.Context()); err == nil {
		t.Fatal("the pairing was not cut off")
	}
}

// isRefused: the one-time token was used up.
func (c *cutOff) isRefused(t *testing.T) {
	t.Helper()
	good := c.cloud.answer.Load()
	c.cloud.gives(http.StatusConflict, wire.PairResponse{Error: "This setup address was used already."})
	if _, err := c.p.Pair(t.Context()); err == nil {
		t.Fatal("the cloud did not refuse")
	}
	c.cloud.answer.Store(good)
}

// cannotSave: the journal gets its new owner, and the credential's file stays that of
// another line.
func (c *cutOff) cannotSave(t *testing.T) {
	t.Helper()
	path := filepath.Join(c.p.StateDir, credentialFile)
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.p.StateDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := c.p.Pair(t.Context()); err == nil {
		t.Fatal("the credential was saved")
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	old := Credential{Server: c.cloud.URL, RelayID: "rel_0", Secret: "rsk_0", Account: "Acme", Line: "+14155550000"}
	if err := old.save(c.p.StateDir); err != nil {
		t.Fatal(err)
	}
}

// cannotRead: macOS does not let the second pairing read chat.db.
func (c *cutOff) cannotRead(t *testing.T) { c.p.ChatDB = filepath.Join(t.TempDir(), "no-chat.db") }

func (c *cutOff) moves(t *testing.T) {
	c.cloud = newPairingCloud(t)
	c.p.SetupURL = c.cloud.URL + "/setup?token=" + token
}

func (c *cutOff) isOld(t *testing.T) {
	t.Helper()
	j := reopen(t, c.p.StateDir)
	defer j.close()
	v, err := j.meta(t.Context(), metaIntent)
	var note intent
	if err == nil {
		err = json.Unmarshal([]byte(v), &note)
	}
	if err != nil {
		t.Fatal(err)
	}
	note.Mark.Floor -= intentKept.Milliseconds()
	data, err := json.Marshal(note)
	if err == nil {
		_, err = j.db.ExecContext(t.Context(), "UPDATE meta SET value = ? WHERE key = ?", string(data), metaIntent)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cutOff) losesJournal(t *testing.T) {
	t.Helper()
	for _, name := range []string{"journal.db", "journal.db-wal", "journal.db-shm"} {
		if err := os.RemoveAll(filepath.Join(c.p.StateDir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPairKnowsItsLine: what there is to report stays for the same line and for no other of
// the same number, with clouds and pairings that did not name lines too.
func TestPairKnowsItsLine(t *testing.T) {
	t.Parallel()
	type step = func(*cutOff, *testing.T)
	nothing := func(*cutOff, *testing.T) {}
	for name, tt := range map[string]struct {
		first, second string // ids of the line
		between       step
		kept          bool
	}{
		"the same line":                       {"num_1", "num_1", nothing, true},
		"by the journal alone":                {"num_1", "num_1", (*cutOff).losesCredential, true},
		"a line of the same number":           {"num_1", "num_2", nothing, false},
		"of the same number, by the journal":  {"num_1", "num_2", (*cutOff).losesCredential, false},
		"paired before lines were named":      {"", "num_1", nothing, true},
		"before, by the journal":              {"", "num_1", (*cutOff).losesCredential, true},
		"a cloud that names none":             {"", "", nothing, true},
		"put back to one that names none":     {"num_1", "", nothing, true},
		"of another server":                   {"num_1", "num_1", (*cutOff).moves, false},
		"of another server, without the name": {"", "", (*cutOff).moves, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCutOff(t)
			c.pairs(t, tt.first)
			j := reopen(t, c.p.StateDir)
			err := j.write(t.Context(), "", func(ctx context.Context, tx *sql.Tx) error {
				return addReport(ctx, tx, wire.Report{Kind: wire.Alarm, Fault: &wire.Fault{Code: "a"}}, noon)
			})
			if err != nil {
				t.Fatal(err)
			}
			j.close()
			tt.between(c, t)
			c.pairs(t, tt.second)
			if n := len(reportsOf(t, reopen(t, c.p.StateDir))); (n == 1) != tt.kept {
				t.Errorf("%d reports are left", n)
			}
		})
	}
}

// pairs has the cloud name a line and the Mac pair.
func (c *cutOff) pairs(t *testing.T, line string) {
	t.Helper()
	c.cloud.gives(http.StatusOK, wire.PairResponse{RelayID: "rel_1", Secret: "rsk_1", Account: "Acme", Line: "+14155559876", LineID: line})
	if got := pair(t, c.p); got.LineID != line {
		t.Errorf("the line is %q", got.LineID)
	}
}

func (c *cutOff) losesCredential(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(c.p.StateDir, credentialFile)); err != nil {
		t.Fatal(err)
	}
}
