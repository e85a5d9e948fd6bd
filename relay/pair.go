package relay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"bluerelay/chatdb"
	"bluerelay/fault"
	"bluerelay/mac"
	"bluerelay/wire"
)

// Pairing is one act of swapping a setup URL for this Mac's own credential.
type Pairing struct {
	SetupURL string
	StateDir string
	ChatDB   string // where the mark is taken, if it can be read
	Scope    Scope
	Allow    []string
	Insecure bool   // allow plain http to another machine
	CA       string // certificates in PEM that are trusted beside the Mac's own, see ReadAuthorities
	Keychain bool   // keep the secret in the login keychain instead of the file
	Version  string
	Tools    mac.Tools // the programs of macOS
	// Say, unless nil, is told in sentences what a person should know beside the result.
	Say func(string)
	// Transport is how the cloud is reached; nil for the ordinary way, with CA.
	Transport http.RoundTripper
}

// Pair uses the one-time token of the setup URL, saves the credential, gives the
// journal a new identity and notes where chat.db stands, so that what came before
// stays on the Mac. The error says what a person should do.
func (p Pairing) Pair(ctx context.Context) (Credential, error) {
	server, token, err := p.parse()
	if err != nil {
		return Credential{}, err
	}
	if err := prepareDir(p.StateDir); err != nil {
		return Credential{}, fullSentence(err)
	}
	lock, err := lockDir(p.StateDir)
	if errors.Is(err, ErrBusy) {
		return Credential{}, fmt.Errorf("%w: stop it, pair, and start it again", err)
	}
	if err != nil {
		return Credential{}, fullSentence(err)
	}
	defer unlockDir(lock)
	if err := p.tryKeeping(ctx); err != nil {
		return Credential{}, fullSentence(err)
	}
	j, err := openJournal(ctx, p.StateDir)
	if err != nil {
		return Credential{}, fullSentence(err)
	}
	defer j.close()
	// Before the swap, and on disk: what comes from then on, the Mac whose place this one
	// takes may no longer report. What both report is known by its guid.
	mark, fresh, err := j.intend(ctx, server, p.mark(ctx), time.Now())
	if err != nil {
		return Credential{}, fullSentence(err)
	}
	c, err := p.swap(ctx, server, token)
	if _, refused := errors.AsType[pairRefused](err); refused && fresh {
		err = errors.Join(err, j.dropIntent(ctx))
	}
	if err != nil {
		return Credential{}, err
	}
	fault.Hit(fault.RelayPairSwap)
	c.Scope, c.Allow, c.CA = cmp.Or(p.Scope, ScopeAll), p.Allow, p.CA
	if p.Keychain {
		c.Keychain = c.RelayID
	}
	former, err := p.take(ctx, j, c, mark)
	if err == nil {
		err = c.keep(ctx, p.StateDir, p.Tools)
	}
	if err != nil {
		return Credential{}, fmt.Errorf("the cloud has paired this Mac, but the credential could not be kept, so pair again with a new setup URL (`bluecloud line pair NUMBER --replace`): %w", err)
	}
	p.tidy(ctx, former, c)
	return c, nil
}

// tryKeeping finds out before the token is used whether its fruit can be kept.
func (p Pairing) tryKeeping(ctx context.Context) error {
	f, err := os.CreateTemp(p.StateDir, credentialFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 64<<10))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil || !p.Keychain {
		return err
	}
	probe := Credential{Keychain: "probe"}.item(p.Tools)
	if err := probe.Set(ctx, "probe"); err != nil {
		return fmt.Errorf("the secret cannot be kept in the keychain, and the setup URL was not used: %w", err)
	}
	return probe.Delete(ctx)
}

// fullSentence says what to do where the disk is full; the setup URL has not been used then.
func fullSentence(err error) error {
	if sqlite, ok := errors.AsType[sqlite3.Error](err); full(err) || ok && sqlite.Code == sqlite3.ErrFull {
		return fmt.Errorf("the disk is full: free some space and pair again, the setup URL was not used: %w", err)
	}
	return err
}

// tidy does what may fail without harm: the secret of a former pairing goes from the
// keychain, and the state folder from the backups, because an old copy of it must not be
// gone on with.
func (p Pairing) tidy(ctx context.Context, former, c Credential) {
	say := p.Say
	if say == nil {
		say = func(string) {}
	}
	if former.Keychain != "" && former.Keychain != c.Keychain {
		if err := former.item(p.Tools).Delete(ctx); err != nil {
			say(fmt.Sprintf("The secret of the former pairing is still in the login keychain as %s, %s: it is of no use any more.", keychainService, former.Keychain))
		}
	}
	switch err := p.Tools.ExcludeFromBackup(ctx, p.StateDir); {
	case err == nil:
		say("The state folder is left out of this Mac's backups: an old copy of it must not be used.")
	case errors.Is(err, mac.ErrNoTool): // no Mac
	default:
		say(fmt.Sprintf("The state folder could not be left out of this Mac's backups (%s): run `tmutil addexclusion '%s'`.", err, p.StateDir))
	}
}

// take makes the journal that of a new pairing, and returns the credential of the former
// one. Whose it is, the journal knows itself: the credential may still be that of an earlier
// pairing, if the last one was cut off.
func (p Pairing) take(ctx context.Context, j *journal, c Credential, mark cursor) (Credential, error) {
	former, err := j.meta(ctx, metaOwner)
	if err != nil {
		return Credential{}, fmt.Errorf("read whose the journal is: %w", err)
	}
	old, err := LoadCredential(p.StateDir)
	same := c.owns(former) || err == nil && c.sameLine(old)
	return old, j.renew(ctx, c.owner(), same, &mark, time.Now())
}

// owner is what a journal belongs to: a line of a cloud. A number alone may be removed there
// and come back as another line, of another account.
func (c Credential) owner() string { return c.Server + " " + cmp.Or(c.LineID, c.Line) }

// owns tells whether a journal with that owner is the pairing's. Pairings that did not learn
// the id of their line have left its number.
func (c Credential) owns(owner string) bool {
	return owner == c.owner() || owner == c.Server+" "+c.Line
}

// sameLine tells whether two pairings are of one line of one cloud; where one of them does
// not know its id, by the number.
func (c Credential) sameLine(other Credential) bool {
	if c.LineID == "" || other.LineID == "" {
		return c.Server == other.Server && c.Line == other.Line
	}
	return c.owner() == other.owner()
}

// pairRefused is the cloud's own no: it has swapped nothing. Any other error may have
// come after the swap.
type pairRefused string

func (r pairRefused) Error() string { return string(r) }

// parse splits the setup URL into the server's address and the token.
func (p Pairing) parse() (server, token string, err error) {
	u, err := url.Parse(p.SetupURL)
	if err != nil || u.Host == "" {
		return "", "", errors.New("that is not a setup URL: copy the whole address, https://…/setup?token=dev_…")
	}
	token = u.Query().Get("token")
	path, ok := strings.CutSuffix(strings.TrimSuffix(u.Path, "/"), "/setup")
	if !ok || token == "" {
		return "", "", errors.New("that is not a setup URL: it must end in /setup?token=dev_…")
	}
	if err := checkServer(u, p.Insecure); err != nil {
		return "", "", err
	}
	return u.Scheme + "://" + u.Host + path, token, nil
}

// prepareDir makes the state folder, or refuses one that others can enter.
func prepareDir(dir string) error {
	if err := makeDir(dir); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	return checkPrivate(dir)
}

// checkPrivate refuses a state folder that others can enter.
func checkPrivate(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the state folder: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("the state folder %s is open to other users (mode %04o): run `chmod 700 %s`", dir, mode, dir)
	}
	return nil
}

func (p Pairing) swap(ctx context.Context, server, token string) (Credential, error) {
	host, _ := os.Hostname() // only a name for people
	body, err := json.Marshal(wire.PairRequest{Token: token, Host: strings.TrimSuffix(host, ".local"), OS: runtime.GOOS, Version: p.Version})
	if err != nil {
		return Credential{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+"/relay/v1/pair", bytes.NewReader(body))
	if err != nil {
		return Credential{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	// No redirect: it could lead the token out of https.
	transport := p.Transport
	if transport == nil {
		way := Credential{CA: p.CA}.transport()
		defer way.CloseIdleConnections()
		transport = way
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: transport}
	resp, err := client.Do(req)
	if err != nil {
		return Credential{}, fmt.Errorf("reach the cloud at %s: %w", server, explain(unwrapURL(err), hostOf(server)))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxFrame))
	if err != nil {
		return Credential{}, fmt.Errorf("read the cloud's answer: %w", err)
	}
	var answer wire.PairResponse
	if err := json.Unmarshal(data, &answer); err != nil {
		return Credential{}, fmt.Errorf("the server at %s did not answer like a bluecloud (HTTP %d): check the address", server, resp.StatusCode)
	}
	if resp.StatusCode >= 400 && resp.StatusCode < 500 && answer.Error != "" {
		return Credential{}, pairRefused(answer.Error)
	}
	if resp.StatusCode != http.StatusOK || answer.Secret == "" {
		return Credential{}, errors.New(cmp.Or(answer.Error, fmt.Sprintf("the cloud refused to pair (HTTP %d)", resp.StatusCode)))
	}
	return Credential{Server: server, RelayID: answer.RelayID, Secret: answer.Secret, Account: answer.Account, Line: answer.Line, LineID: answer.LineID}, nil
}

// unwrapURL leaves out the URL, which holds the token's server twice over.
func unwrapURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// mark is where chat.db ends now. Where it cannot be read yet it is the time alone, and
// the first run finds what has come since.
func (p Pairing) mark(ctx context.Context) cursor {
	now := time.Now().UnixMilli()
	unread := cursor{Floor: now, Seen: now}
	db, err := chatdb.Open(ctx, p.ChatDB)
	if err != nil {
		return unread
	}
	defer db.Close()
	c, err := markNow(ctx, db)
	if err != nil {
		return unread
	}
	return *c
}
