package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bluerelay/fault"
	"bluerelay/mac"
)

// Scope says which inbound messages leave the Mac.
type Scope string

// The scopes. All is every new message from the pairing on; the messages that our
// own sends make are always followed.
const (
	ScopeAll     Scope = "all"
	ScopeStarted Scope = "started" // only from people whom the API has written to
	ScopeAllow   Scope = "allow"   // only from the handles in Credential.Allow
)

// Credential is what pairing leaves on this Mac: which cloud, the secret that opens
// it, and what may leave.
type Credential struct {
	Server  string `json:"server"` // https://host[:port][/path]
	RelayID string `json:"relay_id"`

	// The secrets that the cloud may know, all but the first perhaps "": the one that it took
	// last, the one that it has issued since and was not shown yet, and the one before, for
	// a cloud whose database is put back to a copy.
	Secret string `json:"secret,omitempty"`
	Next   string `json:"next,omitempty"`
	Former string `json:"former,omitempty"`
	Since  int64  `json:"since,omitempty"` // when Secret was exchanged last, Unix ms; 0 with the pairing
	// Keychain names the item of the login keychain that holds the secrets instead.
	Keychain string `json:"keychain,omitempty"`

	Account string   `json:"account"`           // its name, for people
	Line    string   `json:"line"`              // E.164
	LineID  string   `json:"line_id,omitempty"` // the cloud's, "" from an older one
	CA      string   `json:"ca,omitempty"`      // certificates in PEM that are trusted beside the Mac's own
	Scope   Scope    `json:"scope"`
	Allow   []string `json:"allow,omitempty"`
}

const credentialFile = "credential.json"

// ErrNotPaired says that this state folder has no credential.
var ErrNotPaired = errors.New("this Mac is not paired yet: run `bluerelay pair SETUP_URL` with the address that `bluecloud line add` printed")

// LoadCredential reads the credential of a state folder, without the secrets where the
// keychain has them. It refuses a file that others could read.
func LoadCredential(dir string) (Credential, error) {
	path := filepath.Join(dir, credentialFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Credential{}, ErrNotPaired
	}
	if err != nil {
		return Credential{}, fmt.Errorf("read the credential: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return Credential{}, fmt.Errorf("%s can be read by other users (mode %04o): run `chmod 600 %s` and pair again if anybody may have seen it", path, mode, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Credential{}, fmt.Errorf("read the credential: %w", err)
	}
	var c Credential
	if err := json.Unmarshal(data, &c); err != nil || c.Secret == "" && c.Keychain == "" || c.Server == "" {
		return Credential{}, fmt.Errorf("%s is damaged: pair this Mac again with `bluerelay pair SETUP_URL`", path)
	}
	return c, nil
}

// loadWithSecrets is LoadCredential with the secrets, wherever they are.
func loadWithSecrets(ctx context.Context, dir string, tools mac.Tools) (Credential, error) {
	c, err := LoadCredential(dir)
	if err != nil || c.Keychain == "" {
		return c, err
	}
	v, err := c.item(tools).Get(ctx)
	if errors.Is(err, mac.ErrKeychainItem) {
		return c, fmt.Errorf("%w: pair this Mac again with `bluerelay pair SETUP_URL`", err)
	}
	if err != nil {
		return c, fmt.Errorf("read the credential: %w", err)
	}
	list := strings.Split(v, ".")
	if len(list) != 3 || list[0] == "" {
		return c, errors.New("the item bluerelay of the login keychain is damaged: pair this Mac again with `bluerelay pair SETUP_URL`")
	}
	c.Secret, c.Next, c.Former = list[0], list[1], list[2]
	return c, nil
}

// keychainService is the service of our items in the keychain; their account is the relay's
// id.
const keychainService = "com.bluerelay.agent"

func (c Credential) item(tools mac.Tools) mac.Keychain {
	return mac.Keychain{Tools: tools, Service: keychainService, Account: c.Keychain}
}

// keep writes the credential, the secrets where they belong. The file changes with each of
// them, which is how other processes see it.
func (c Credential) keep(ctx context.Context, dir string, tools mac.Tools) error {
	if c.Keychain != "" {
		if err := c.item(tools).Set(ctx, strings.Join([]string{c.Secret, c.Next, c.Former}, ".")); err != nil {
			return fmt.Errorf("write the credential: %w", err)
		}
		c.Secret, c.Next, c.Former = "", "", ""
	}
	return c.save(dir)
}

// save writes the file atomically, readable by its owner only.
func (c Credential) save(dir string) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	err = replaceFile(dir, credentialFile, append(data, '\n'), func() { fault.Before(fault.RelayCredential) })
	if err != nil {
		return fmt.Errorf("write the credential: %w", err)
	}
	fault.After(fault.RelayCredential)
	return nil
}

// socketURL is where the link dials.
func (c Credential) socketURL() string {
	return "ws" + strings.TrimPrefix(c.Server, "http") + "/relay/v1/socket"
}

// checkServer refuses to send a secret in the clear over a network.
func checkServer(u *url.URL, insecure bool) error {
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && (insecure || isLoopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return errors.New("the address is plain http, so anybody on the network could read the messages: use https, or add --insecure if this network is yours alone")
	}
	return errors.New("the address must begin with https://")
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// wants tells whether what is said to or by somebody may leave the Mac by the scope that
// was chosen; wrote tells whether the API has ever written to him, where that counts. What
// the owner notes in the conversation with himself the API has not begun, though the daily
// check of the Mac goes there; its own row is that of a send.
func (c Credential) wants(handle string, wrote func() (bool, error)) (bool, error) {
	switch c.Scope {
	case ScopeStarted:
		if sameHandle(c.Line, handle) {
			return false, nil
		}
		return wrote()
	case ScopeAllow:
		return slices.ContainsFunc(c.Allow, func(a string) bool { return sameHandle(a, handle) }), nil
	}
	return true, nil
}

// ForgetSecret takes the secret of a state folder that is to be removed out of the login
// keychain, if it is there. The error says which item stays.
func ForgetSecret(ctx context.Context, dir string, tools mac.Tools) error {
	c, err := LoadCredential(dir)
	if err != nil || c.Keychain == "" {
		return nil // in the folder, or nowhere
	}
	if err := c.item(tools).Delete(ctx); err != nil {
		return fmt.Errorf("the secret stays in the login keychain as %s, %s, delete it in Keychain Access: %w", keychainService, c.Keychain, err)
	}
	return nil
}
