package relay

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"bluerelay/mac"
)

// keyring has the secret that opens the cloud, for everything that speaks to it. It reads
// the credential again where the file has changed: another process of this program may have
// exchanged the secret. It is safe for concurrent use.
type keyring struct {
	dir   string
	tools mac.Tools

	mu      sync.Mutex
	seen    fs.FileInfo // of the credential's file as it was read
	c       Credential  // with its secrets, wherever they are kept
	refused []string    // secrets that the cloud has not taken since then
}

// bearer is the secret to show now: the newest that the cloud has not refused. Where it has
// refused all, it is the newest again.
func (k *keyring) bearer(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	// Whoever takes the file away, or opens it to others, does not stop what runs.
	if err := k.refresh(ctx); err != nil && k.seen == nil {
		return "", err
	}
	list := k.c.secrets()
	if i := slices.IndexFunc(list, func(s string) bool { return !slices.Contains(k.refused, s) }); i >= 0 {
		return list[i], nil
	}
	return list[0], nil
}

// authorities are the certificates that the credential has trusted beside the Mac's own.
func (k *keyring) authorities(ctx context.Context) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.refresh(ctx) // what was read before goes on
	return k.c.CA
}

// refresh reads the credential, and the keychain where that holds the secrets, if it has
// not been read as it is.
func (k *keyring) refresh(ctx context.Context) error {
	info, err := os.Stat(filepath.Join(k.dir, credentialFile))
	if err == nil && k.seen != nil && os.SameFile(info, k.seen) && info.ModTime().Equal(k.seen.ModTime()) {
		return nil
	}
	c, err := loadWithSecrets(ctx, k.dir, k.tools)
	if err != nil {
		return err
	}
	k.c, k.seen, k.refused = c, info, nil
	return nil
}

// refuse notes that the cloud did not take a secret, and tells whether there is another one
// to show.
func (k *keyring) refuse(ctx context.Context, secret string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refresh(ctx) != nil {
		return false
	}
	k.refused = append(k.refused, secret)
	if slices.ContainsFunc(k.c.secrets(), func(s string) bool { return !slices.Contains(k.refused, s) }) {
		return true
	}
	k.refused = nil // the next try begins with the newest again
	return false
}

// accept notes that the cloud has taken a secret. If it is not the one that it took last,
// that goes on disk.
func (k *keyring) accept(ctx context.Context, secret string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil || secret == k.c.Secret && k.c.Next == "" {
		return err
	}
	refused := slices.Clone(k.refused)
	return k.change(ctx, func(c *Credential) { c.took(secret, refused, time.Now()) })
}

// change rewrites the credential, under the lock that all processes take for that. It has
// been read under k.mu and is read again under the lock.
func (k *keyring) change(ctx context.Context, edit func(*Credential)) error {
	lock, err := lockFile(filepath.Join(k.dir, "credential.lock"), errChanging)
	if err != nil {
		return err
	}
	defer unlockDir(lock)
	k.seen = nil
	if err := k.refresh(ctx); err != nil {
		return err
	}
	c := k.c
	edit(&c)
	k.seen = nil
	return c.keep(ctx, k.dir, k.tools)
}

var errChanging = errors.New("another bluerelay is exchanging the credential: try again")

// took is what a credential is after the cloud has taken one of its secrets. A next one that
// was refused while the last one still counts, the cloud does not know. A former one that was
// taken is that of a cloud that was put back to a copy, perhaps only until somebody sees that
// it is the wrong one: the others stay.
func (c *Credential) took(secret string, refused []string, now time.Time) {
	switch secret {
	case c.Next:
		c.Former, c.Secret, c.Next, c.Since = c.Secret, c.Next, "", now.UnixMilli()
	case c.Former:
		c.Secret, c.Former = c.Former, c.Secret
	case c.Secret:
		if slices.Contains(refused, c.Next) {
			c.Next = ""
		}
	}
}

// secrets are those that the cloud may know, the newest first.
func (c Credential) secrets() []string {
	return slices.DeleteFunc([]string{c.Next, c.Secret, c.Former}, func(s string) bool { return s == "" })
}

// client speaks to the cloud, and to nobody else: it shows the secret with each request, and
// follows no redirect. It trusts what c does.
func (k *keyring) client(c Credential) *http.Client { return k.clientBy(c.transport()) }

// longClient is a client that trusts what the credential on disk does at each request.
func (k *keyring) longClient() *http.Client { return k.clientBy(&road{keys: k}) }

func (k *keyring) clientBy(w way) *http.Client {
	return &http.Client{
		Transport: doorman{k, w},
		// The credential is for this server alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// way is a transport: one that stays as it is, or a road.
type way interface {
	http.RoundTripper
	CloseIdleConnections()
}

// doorman shows the secret with each request.
type doorman struct {
	keys *keyring
	way
}

func (d doorman) RoundTrip(r *http.Request) (*http.Response, error) {
	secret, err := d.keys.bearer(r.Context())
	if err != nil {
		return nil, fmt.Errorf("open the cloud: %w", err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+secret)
	return d.way.RoundTrip(r)
}

// road goes by another transport when the authorities of the credential have changed.
type road struct {
	keys *keyring

	mu sync.Mutex
	ca string          // what by trusts
	by *http.Transport // nil before the first request
}

func (r *road) RoundTrip(req *http.Request) (*http.Response, error) {
	ca := r.keys.authorities(req.Context())
	r.mu.Lock()
	if r.by == nil || r.ca != ca {
		if r.by != nil {
			r.by.CloseIdleConnections()
		}
		r.by, r.ca = Credential{CA: ca}.transport(), ca
	}
	by := r.by
	r.mu.Unlock()
	return by.RoundTrip(req)
}

func (r *road) CloseIdleConnections() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by != nil {
		r.by.CloseIdleConnections()
	}
}
