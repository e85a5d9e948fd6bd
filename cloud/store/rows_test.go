package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
	"bluerelay/wire"
)

// Each column gets a value of its own, so that two that are swapped are noticed.
func TestRowsComeBackAsWritten(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	account := store.Account{ID: "team_b", Name: "name", Email: "email", Plan: "plan", CreatedAt: 3,
		Limits: store.Limits{MonthlyMessages: 1, RequestsPerMinute: 2, MessagesPerMinute: 30, Numbers: 31, Members: 32, NoMedia: true, NoReceipts: true}}
	line := store.Line{ID: "num_b", AccountID: account.ID, PhoneNumber: "number", Label: "label", Status: "status", Verified: true, Pace: "pace", RelayID: "relay", CreatedAt: 4, Burst: 25, NewConversations: "new", PacedUntil: 26}
	key := store.Key{ID: "key_b", AccountID: account.ID, Dialect: "dialect", Shown: "shown", SecretHash: "hash", Permissions: []string{"p", "q"}, CreatedAt: 5}
	relay := store.Relay{ID: "rel_b", AccountID: account.ID, LineID: line.ID, SecretHash: "secret", Host: "host", OS: "os", Version: "version", Ready: true,
		Problem: "problem", Reason: "reason", Connected: true, LastSeenAt: 6, CreatedAt: 7}
	install := store.Install{ID: "ins_b", RelayID: relay.ID, LastSeq: 8, CreatedAt: 9}
	hook := store.Webhook{ID: "wh_b", AccountID: account.ID, Dialect: "dialect", URL: "url", Events: []string{"e", "f"}, PhoneNumber: "number", Secret: "secret", Active: true, CreatedAt: 10,
		OldSecret: "old", OldSecretUntil: 27, FailingSince: 28, Disabled: "why", DisabledAt: 29, RetryPreset: "preset", Exhausted: 33, Kind: "kind", Numbers: []string{"n1", "n2"}, GivenSecret: "given"}
	delivery := store.Delivery{ID: "dlv_b", AccountID: account.ID, WebhookID: hook.ID, EventID: "evt_b", EventType: "type", Body: "body<\u2028\U0001F600", State: store.DeliveryPending,
		Attempt: 1, DueAt: 11, Response: 12, Problem: "problem", CreatedAt: 13, UpdatedAt: 14, Excerpt: "excerpt", Kind: "kind"}
	in := store.Message{ID: "msg_b", AccountID: account.ID, LineID: line.ID, Direction: store.Inbound, Status: wire.StatusReceived, From: "from", To: "number", Peer: "peer", Content: "content",
		MediaURL: "media", Service: "service", ChatGUID: "chat", AppleGUID: "guid", CreatedAt: 15, SentAt: 16,
		DeliveredAt: 17, ReadAt: 18, ErrorCode: "code", ErrorNumber: 19, ErrorMessage: "error", Origin: "origin", ReplyTo: "reply", Junk: true, Revision: 20, Unsent: 21, Edits: "edits", EditedAt: 22, UnsentAt: 23, ExpiresAt: 24, ResendOf: "resend"}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CreateAccount(account), tx.CreateLine(line), tx.CreateKey(key), tx.CreateRelay(relay), tx.CreateInstall(install),
			tx.CreateWebhook(hook), tx.CreateDelivery(delivery), tx.CreateMessage(&in), tx.SetSetting("n", "old"), tx.SetSetting("n", "new"))
	})
	if in.Seq != 1 || in.UpdatedAt != in.CreatedAt {
		t.Errorf("%+v", in)
	}
	same(t, account)(s.Account(ctx, account.ID))
	same(t, line)(s.Line(ctx, line.ID))
	same(t, line)(s.LineByNumber(ctx, line.PhoneNumber))
	same(t, []store.Line{line})(s.Lines(ctx, account.ID))
	k, owner, err := s.KeyByHash(ctx, key.SecretHash)
	same(t, key)(k, err)
	same(t, account)(owner, err)
	same(t, []store.Key{key})(s.Keys(ctx, account.ID))
	same(t, relay)(s.Relay(ctx, relay.ID))
	same(t, relay)(s.RelayByHash(ctx, relay.SecretHash))
	same(t, []store.Relay{relay})(s.Relays(ctx, account.ID))
	same(t, install)(s.Install(ctx, install.ID))
	same(t, hook)(s.Webhook(ctx, account.ID, hook.ID))
	same(t, []store.Webhook{hook})(s.Webhooks(ctx, account.ID, hook.Dialect))
	same(t, []store.Delivery{delivery})(s.DueDeliveries(ctx, hook.ID, 11, 10))
	same(t, []store.Delivery{delivery})(s.Deliveries(ctx, hook.ID, nil, 10))
	same(t, []store.Delivery(nil))(s.Deliveries(ctx, hook.ID, &delivery, 10))
	same(t, delivery)(s.Delivery(ctx, hook.ID, delivery.ID))
	same(t, []store.DueWebhook{{ID: hook.ID, Owner: hook.AccountID}})(s.DueWebhooks(ctx, 11))
	same(t, in)(s.Message(ctx, account.ID, in.ID))
	same(t, []store.Message{in})(s.Messages(ctx, store.MessageFilter{AccountID: account.ID, From: "from", To: "number", Direction: store.Inbound, Phases: []store.Phase{store.PhaseReceived}, Limit: 5}))
	same(t, "new")(s.Setting(ctx, "n"))
	same(t, "")(s.Setting(ctx, "never"))
	same(t, true)(s.HasGUID(ctx, line.ID, "guid"))
	same(t, false)(s.HasGUID(ctx, lineID, "guid"))
}

func same[T any](t testing.TB, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
}

func TestUpdatesComeBackAsWritten(t *testing.T) {
	s, _ := open(t)
	ctx := t.Context()
	relay := store.Relay{ID: "rel_a", AccountID: accountID, LineID: lineID, SecretHash: "h", CreatedAt: 1}
	hook := store.Webhook{ID: "wh_a", AccountID: accountID, Dialect: "d", URL: "u", Events: []string{"e"}, Secret: "s", CreatedAt: 1}
	delivery := store.Delivery{ID: "dlv_a", AccountID: accountID, WebhookID: hook.ID, EventID: "e", EventType: "t", Body: "b", State: store.DeliveryPending, CreatedAt: 1}
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CreateRelay(relay), tx.CreateWebhook(hook), tx.CreateDelivery(delivery))
	})
	account, _ := s.Account(ctx, accountID)
	line, _ := s.Line(ctx, lineID)
	account.Name, account.Plan = "other", "p"
	account.Limits = store.Limits{MonthlyMessages: 1, RequestsPerMinute: 2, MessagesPerMinute: 3, Numbers: 4, Members: 5, NoMedia: true, NoReceipts: true}
	line.Label, line.Status, line.Pace, line.Verified, line.RelayID = "l", "s", "p", false, "r"
	relay.Host, relay.OS, relay.Version, relay.Ready, relay.Problem, relay.Reason, relay.Connected, relay.LastSeenAt = "h", "o", "v", true, "p", "r", true, 3
	hook.URL, hook.Events, hook.PhoneNumber, hook.Active = "u2", []string{"f", "g"}, "n", true
	hook.Secret, hook.OldSecret, hook.OldSecretUntil, hook.FailingSince, hook.Disabled, hook.DisabledAt = "s2", "s", 8, 9, "why", 10
	hook.RetryPreset, hook.Exhausted = "preset", 11
	delivery.Excerpt = "x"
	delivery.State, delivery.Attempt, delivery.DueAt, delivery.Response, delivery.Problem, delivery.UpdatedAt = store.DeliveryFailed, 4, 5, 6, "p", 7
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.UpdateAccount(account), tx.UpdateLine(line), tx.UpdateRelay(relay), tx.UpdateWebhook(hook), tx.SetWebhookHealth(hook), tx.SetWebhookSecret(hook), tx.FinishDelivery(delivery))
	})
	same(t, account)(s.Account(ctx, accountID))
	same(t, line)(s.Line(ctx, lineID))
	same(t, relay)(s.Relay(ctx, relay.ID))
	same(t, hook)(s.Webhook(ctx, accountID, hook.ID))
	same(t, []store.Delivery{delivery})(s.Deliveries(ctx, hook.ID, nil, 5))
	write(t, s, func(tx *store.Tx) error { _, err := tx.DisconnectRelays(); return err })
	relay.Connected = false
	same(t, relay)(s.Relay(ctx, relay.ID))
}

func TestWhatIsTakenAndWhatIsMissing(t *testing.T) {
	s, _ := open(t)
	first := message("msg_1")
	first.AppleGUID = "guid"
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.CreateMessage(&first),
			tx.CreateMember(store.Member{ID: "usr_1", AccountID: accountID, Login: "a@b"}),
			tx.CreateKey(store.Key{ID: "key_1", AccountID: accountID, SecretHash: "hash"}),
			tx.CreateWebhook(store.Webhook{ID: "wh_1", AccountID: accountID, Dialect: "d", URL: "u"}))
	})
	again := message("msg_1")
	row := message("msg_2")
	row.AppleGUID = "guid"
	for name, fn := range map[string]func(tx *store.Tx) error{
		"account": func(tx *store.Tx) error { return tx.CreateAccount(store.Account{ID: accountID}) },
		"number": func(tx *store.Tx) error {
			return tx.CreateLine(store.Line{ID: "num_2", AccountID: accountID, PhoneNumber: "+14155559876"})
		},
		"message":      func(tx *store.Tx) error { return tx.CreateMessage(&again) },
		"apple's guid": func(tx *store.Tx) error { return tx.CreateMessage(&row) },
		"login": func(tx *store.Tx) error {
			return tx.CreateMember(store.Member{ID: "usr_2", AccountID: accountID, Login: "a@b"})
		},
		"key": func(tx *store.Tx) error {
			return tx.CreateKey(store.Key{ID: "key_2", AccountID: accountID, SecretHash: "hash"})
		},
		"webhook": func(tx *store.Tx) error {
			return tx.CreateWebhook(store.Webhook{ID: "wh_2", AccountID: accountID, Dialect: "d", URL: "u"})
		},
	} {
		if err := s.Write(t.Context(), fn); !errors.Is(err, store.ErrExists) {
			t.Errorf("%s twice: %v", name, err)
		}
	}
	ctx := t.Context()
	missing := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := s.Account(ctx, "x")
	missing("account", err)
	_, err = s.Line(ctx, "x")
	missing("line", err)
	_, err = s.Relay(ctx, "x")
	missing("relay", err)
	_, err = s.Install(ctx, "x")
	missing("install", err)
	_, err = s.Message(ctx, "team_other", "msg_1")
	missing("message of another account", err)
	_, err = s.Webhook(ctx, "team_other", "wh_1")
	missing("webhook of another account", err)
	_, _, err = s.KeyByHash(ctx, "x")
	missing("key", err)
	for name, fn := range map[string]func(tx *store.Tx) error{
		"update account":           func(tx *store.Tx) error { return tx.UpdateAccount(store.Account{ID: "x"}) },
		"remove line":              func(tx *store.Tx) error { return tx.RemoveLine("x", 1) },
		"update relay":             func(tx *store.Tx) error { return tx.UpdateRelay(store.Relay{ID: "x"}) },
		"retire relay":             func(tx *store.Tx) error { return tx.RetireRelay("x", false, 1) },
		"revoke key":               func(tx *store.Tx) error { return tx.RevokeKey("x", 1) },
		"finish delivery":          func(tx *store.Tx) error { return tx.FinishDelivery(store.Delivery{ID: "x"}) },
		"update webhook of others": func(tx *store.Tx) error { return tx.UpdateWebhook(store.Webhook{ID: "wh_1", AccountID: "team_other"}) },
		"delete webhook of others": func(tx *store.Tx) error { return tx.DeleteWebhook("team_other", "wh_1") },
		"message of no account":    func(tx *store.Tx) error { return tx.CreateMessage(&store.Message{ID: "m", AccountID: "x"}) },
		"setup token":              func(tx *store.Tx) error { _, err := tx.TakeSetupToken("x", 1); return err },
	} {
		missing(name, s.Write(ctx, fn))
	}
	// A revoked key and a removed line are gone; their number is free again.
	write(t, s, func(tx *store.Tx) error { return errors.Join(tx.RevokeKey("key_1", 5), tx.RemoveLine(lineID, 5)) })
	_, _, err = s.KeyByHash(ctx, "hash")
	missing("revoked key", err)
	_, err = s.LineByNumber(ctx, "+14155559876")
	missing("removed line", err)
	write(t, s, func(tx *store.Tx) error {
		return tx.CreateLine(store.Line{ID: "num_3", AccountID: accountID, PhoneNumber: "+14155559876"})
	})
	if m, err := s.Message(ctx, accountID, "msg_1"); err != nil || m.LineID != lineID {
		t.Errorf("the message of a removed line: %+v, %v", m, err)
	}
}

func TestSetupTokenIsUsedUpOnce(t *testing.T) {
	s, _ := open(t)
	create := func(hash string, expires int64) {
		t.Helper()
		token := store.SetupToken{TokenHash: hash, LineID: lineID, Replaces: true, ExpiresAt: expires}
		write(t, s, func(tx *store.Tx) error { return tx.CreateSetupToken(token) })
		same(t, token)(s.SetupToken(t.Context(), hash))
	}
	take := func(hash string, now int64) (got store.SetupToken, err error) {
		err = s.Write(t.Context(), func(tx *store.Tx) (err error) { got, err = tx.TakeSetupToken(hash, now); return err })
		return got, err
	}
	create("h", 100)
	if _, err := take("h", 100); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("at its end: %v", err)
	}
	used := store.SetupToken{TokenHash: "h", LineID: lineID, Replaces: true, ExpiresAt: 100, Ended: store.SetupUsed}
	same(t, used)(take("h", 99))
	if _, err := take("h", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	// A new token of the line ends the former one, and both keep why they ended.
	create("h2", 100)
	create("h3", 100)
	if _, err := take("h2", 1); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the former token: %v", err)
	}
	same(t, used)(s.SetupToken(t.Context(), "h"))
	if got, err := s.SetupToken(t.Context(), "h2"); err != nil || got.Ended != store.SetupReplaced {
		t.Errorf("%+v, %v", got, err)
	}
	// A month later nobody asks.
	create("h4", 101+30*24*time.Hour.Milliseconds())
	if _, err := s.SetupToken(t.Context(), "h"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an old token: %v", err)
	}
}

// A Mac may show the secret that it has and the one that it was issued, until it shows
// the latter.
func TestSecretIsExchanged(t *testing.T) {
	s, _ := open(t)
	relay := store.Relay{ID: "rel_1", AccountID: accountID, LineID: lineID, SecretHash: "a"}
	write(t, s, func(tx *store.Tx) error { return tx.CreateRelay(relay) })
	known := func(want string) {
		t.Helper()
		var got strings.Builder
		for _, hash := range []string{"a", "b", "c", ""} {
			switch r, err := s.RelayByHash(t.Context(), hash); {
			case err == nil && r.ID == relay.ID:
				got.WriteString(hash)
			case !errors.Is(err, store.ErrNotFound):
				t.Error(err)
			}
		}
		if got.String() != want {
			t.Errorf("the secrets that count are %q, want %q", got.String(), want)
		}
	}
	known("a")
	write(t, s, func(tx *store.Tx) error { return tx.IssueSecret("rel_1", "b") })
	known("ab")
	write(t, s, func(tx *store.Tx) error { return tx.IssueSecret("rel_1", "c") })
	known("ac")
	if err := s.Write(t.Context(), func(tx *store.Tx) error { return tx.ProveSecret("rel_1", "b") }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("one that counts no longer: %v", err)
	}
	write(t, s, func(tx *store.Tx) error { return tx.ProveSecret("rel_1", "c") })
	known("c")
	write(t, s, func(tx *store.Tx) error {
		return errors.Join(tx.IssueSecret("rel_1", "b"), tx.RetireRelay("rel_1", false, 5))
	})
	known("")
}

func TestOpenNamesWhatItCannotOpen(t *testing.T) {
	dir := t.TempDir()
	for dsn, says := range map[string]string{
		"": "no database is named", "postgres://": "no database", "postgres://u:secret%zz@h/db": "%XX", "postgres://u:secret@h:port/db": "%XX", "postgres://u@h/db?password=secret&sslmode=none": "cannot be read",
		"postgresql://u:secret@127.0.0.1:1/db": "cannot be written now",
		"mysql://u:secret@h":                   "no database this program knows", "sqlite://": "no database",
	} {
		_, err := store.Open(t.Context(), dsn)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database. ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), text); err == nil {
		t.Error("a text file was opened")
	}
	odd := filepath.Join(dir, "a folder?with#odd%20signs", "c&d.db")
	s, err := store.Open(t.Context(), "sqlite://"+odd)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if info, err := os.Stat(odd); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Opening a database that exists changes nothing of it, and its settings promise
// that a commit is on disk.
func TestOpenAgain(t *testing.T) {
	s, dsn := open(t)
	m := message("msg_1")
	write(t, s, func(tx *store.Tx) error { return tx.CreateMessage(&m) })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openAt(t, dsn)
	}
	same(t, m)(s.Message(t.Context(), accountID, m.ID))
	mode := "PRAGMA journal_mode"
	want := "wal"
	if storetest.OnPostgres() {
		mode, want = "SHOW synchronous_commit", "on"
	}
	if got := storetest.Rows(t, dsn, mode); !slices.Equal(got, []string{want}) {
		t.Errorf("%s: %v", mode, got)
	}
	files, err := filepath.Glob("migrations/*.sql")
	versions := storetest.Rows(t, dsn, "SELECT version_id FROM goose_db_version WHERE version_id > 0")
	if err != nil || len(versions) != len(files) {
		t.Errorf("migrations %v were applied, there are %d, %v", versions, len(files), err)
	}
	sound(t, dsn)
}

// A database of an earlier version, here one without any table of ours, is brought
// up to date and keeps what it has.
func TestMigrateKeepsWhatIsThere(t *testing.T) {
	dsn := storetest.Empty(t)
	storetest.Exec(t, dsn, "CREATE TABLE of_somebody (v TEXT); INSERT INTO of_somebody VALUES ('x')")
	openAt(t, dsn)
	if v := storetest.Rows(t, dsn, "SELECT v FROM of_somebody"); !slices.Equal(v, []string{"x"}) {
		t.Errorf("%q", v)
	}
	// A newer program's database is not touched by an older one's statements.
	storetest.Exec(t, dsn, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1 = 1)")
	if s, err := store.Open(t.Context(), dsn); err == nil {
		_ = s.Close()
	}
	sound(t, dsn)
}
