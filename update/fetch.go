package update

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The limits of a download.
const (
	manifestLimit = 30 * time.Second
	fileLimit     = 20 * time.Minute
	tryLimit      = 30 * time.Second // for the first start of the new program
	maxRedirects  = 5
)

// Source is where manifests come from: the address of one, its programs beside it.
type Source struct {
	URL  string
	Keys PublicKeys
	HTTP *http.Client // nil for the ordinary one, with the limits of this package
}

// check refuses an address that others on the way could read or change at ease. The
// signature is what counts; this is the first wall.
func (s Source) check() (*url.URL, error) {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" {
		return nil, errors.New("that is no address of a manifest, https://…/manifest.json")
	}
	if !safe(u) {
		return nil, errors.New("updates come by https only: give an address that begins with https://")
	}
	return u, nil
}

func safe(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

func (s Source) client() *http.Client {
	c := http.Client{Transport: http.DefaultTransport}
	if s.HTTP != nil {
		c = *s.HTTP
	}
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects || !safe(r.URL) {
			return errors.New("the server leads somewhere that updates must not come from")
		}
		return nil
	}
	return &c
}

// get makes one request, whose answer the caller must close.
func (s Source) get(ctx context.Context, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity") // the limits are of what comes
	resp, err := s.client().Do(req)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if err != nil {
		return nil, fmt.Errorf("reach %s: %w", u.Host, err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s answered %d for %s: try again later, or check the address", u.Host, resp.StatusCode, u.Path)
	}
	return resp, nil
}

// source is the address that releases are built with, "" for none:
//
//	-ldflags "-X bluerelay/update.source=https://…/manifest.json"
var source string

// DefaultSource is the address that this program was built with, or "".
func DefaultSource() string { return source }

// Manifest gets the manifest and checks its signature.
func (s Source) Manifest(ctx context.Context) (Manifest, error) {
	u, err := s.check()
	if err != nil {
		return Manifest{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, manifestLimit)
	defer cancel()
	resp, err := s.get(ctx, u)
	if err != nil {
		return Manifest{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxManifest+1))
	if err != nil {
		return Manifest{}, fmt.Errorf("read the manifest: %w", err)
	}
	return Decode(data, s.Keys)
}

// download gets a program to a path, whole and as the manifest has it, or not at all.
func (s Source) download(ctx context.Context, f File, to string) error {
	if got, err := Describe(to); err == nil && got.Size == f.Size && got.SHA256 == f.SHA256 {
		return nil // by an earlier try
	}
	u, err := s.check()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("make the folder of updates: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(to), ".update.*")
	if err != nil {
		return fmt.Errorf("write the update: %w", err)
	}
	defer os.Remove(out.Name())
	defer out.Close()
	ctx, cancel := context.WithTimeout(ctx, fileLimit)
	defer cancel()
	resp, err := s.get(ctx, u.JoinPath("..", f.Name))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sum := sha256.New()
	// One byte more than there may be, so that a longer file is found out.
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(resp.Body, f.Size+1))
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk is full, free some space and try again: %w", err)
	case err != nil:
		return fmt.Errorf("get the update: %w", err)
	case n != f.Size:
		return fmt.Errorf("%s has another size than the manifest says (%d): nothing was changed", f.Name, f.Size)
	case hex.EncodeToString(sum.Sum(nil)) != f.SHA256:
		return fmt.Errorf("%s is not the file of the manifest (SHA-256): nothing was changed", f.Name)
	}
	err = out.Chmod(0o700)
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		err = out.Close()
	}
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		return fmt.Errorf("write the update: %w", err)
	}
	return syncFolder(filepath.Dir(to))
}

// try starts a program as far as it says its version, and with the daemon's arguments as far
// as it says what they mean: one that was made for another machine, that misses something of
// this one, or that has lost a flag, is found out before it is put in anybody's place.
func try(ctx context.Context, path string, want Version, arguments []string) error {
	out, err := start(ctx, path, "--version")
	if err != nil {
		return fmt.Errorf("version %s does not start on this machine, nothing was changed: %w", want, err)
	}
	words := strings.Fields(string(out))
	if len(words) == 0 {
		return fmt.Errorf("the program for version %s does not say what it is: nothing was changed", want)
	}
	// To the letter: by it the program recognises its own trial.
	if words[len(words)-1] != want.String() {
		return fmt.Errorf("the program for version %s says that it is %.40q: nothing was changed", want, words[len(words)-1])
	}
	if len(arguments) == 0 {
		return nil
	}
	if _, err := start(ctx, path, append(slices.Clone(arguments), "--help")...); err != nil {
		return fmt.Errorf("version %s does not understand the arguments of the installed daemon, nothing was changed: run `bluerelay install` of that version: %w", want, err)
	}
	return nil
}

// start runs a program that ends at once.
func start(ctx context.Context, path string, arguments ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, arguments...)
	cmd.WaitDelay = time.Second
	return cmd.Output()
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
