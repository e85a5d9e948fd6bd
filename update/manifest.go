package update

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The limits of a manifest.
const (
	MaxManifest = 64 << 10  // bytes of the whole file
	MaxFile     = 128 << 20 // bytes of one program
	maxFiles    = 32
)

// product keeps a manifest of something else that the same key signed from being taken.
const product = "bluerelay"

// Manifest says what the newest version is and where its files are.
type Manifest struct {
	Product   string    `json:"product"`
	Version   string    `json:"version"`   // 1.2.3
	Published time.Time `json:"published"` // UTC
	Files     []File    `json:"files"`
}

// File is the program for one platform, as it is to be started: no archive.
type File struct {
	Platform     string `json:"platform"`                // GOOS/GOARCH, or GOOS/universal
	Name         string `json:"name"`                    // beside the manifest: no path
	Size         int64  `json:"size"`                    // bytes
	SHA256       string `json:"sha256"`                  // 64 digits, lower case
	MinimumMacOS string `json:"minimum_macos,omitempty"` // 12.0; empty for other systems
}

// signed is the file: the signature is over the bytes of the manifest as they stand in it.
type signed struct {
	Manifest  json.RawMessage `json:"manifest"`
	Signature []byte          `json:"signature"` // base64
}

// ErrSignature says that nobody whom this program trusts has signed the manifest.
var ErrSignature = errors.New("the manifest is not signed by a key that this program trusts: nothing of it was used")

// Decode checks the signature of a manifest and then reads it. Keys that it does not know
// are passed over: later versions may have more to say. The error is ErrSignature, or says
// what is wrong with it.
func Decode(data []byte, keys PublicKeys) (Manifest, error) {
	if len(data) > MaxManifest {
		return Manifest{}, fmt.Errorf("the manifest is larger than %d bytes", MaxManifest)
	}
	var s signed
	if err := json.Unmarshal(data, &s); err != nil || len(s.Manifest) == 0 {
		return Manifest{}, errors.New("this is no manifest of updates: check the address")
	}
	if !keys.verify(s.Manifest, s.Signature) {
		return Manifest{}, ErrSignature
	}
	return parse(s.Manifest)
}

// parse reads what the signature is over.
func parse(data []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return Manifest{}, fmt.Errorf("the manifest cannot be read: %w", err)
	}
	if err := m.check(); err != nil {
		return Manifest{}, fmt.Errorf("the manifest is not valid: %w", err)
	}
	return m, nil
}

func (m Manifest) check() error {
	if m.Product != product {
		return fmt.Errorf("it is for %.40q", m.Product)
	}
	if v, err := ParseVersion(m.Version); err != nil {
		return err
	} else if v.String() != m.Version {
		return fmt.Errorf("its version is written %.40q instead of %s", m.Version, v)
	}
	if m.Published.IsZero() {
		return errors.New("it does not say when it was published")
	}
	if len(m.Files) == 0 || len(m.Files) > maxFiles {
		return fmt.Errorf("it has %d files, and may have 1 to %d", len(m.Files), maxFiles)
	}
	seen := make(map[string]bool)
	for _, f := range m.Files {
		if err := f.check(); err != nil {
			return fmt.Errorf("file %.80q: %w", f.Name, err)
		}
		if seen[f.Platform] {
			return fmt.Errorf("two files are for %s", f.Platform)
		}
		seen[f.Platform] = true
	}
	return nil
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	digits  = "0123456789abcdef"
)

func (f File) check() error {
	system, machine, ok := strings.Cut(f.Platform, "/")
	switch {
	case !ok || system == "" || machine == "" || len(f.Platform) > 40 || strings.Trim(system+machine, letters) != "":
		return fmt.Errorf("its platform is %.60q, and should be like darwin/arm64", f.Platform)
	case f.Name == "" || len(f.Name) > 100 || strings.HasPrefix(f.Name, ".") || strings.Trim(f.Name, letters+"._-") != "":
		return errors.New("its name has characters that it must not have")
	case f.Size < 1 || f.Size > MaxFile:
		return fmt.Errorf("its size is %d bytes, and may be 1 to %d", f.Size, MaxFile)
	case len(f.SHA256) != 64 || strings.Trim(f.SHA256, digits) != "":
		return errors.New("its SHA-256 is not 64 digits in lower case")
	case system == "darwin" && f.MinimumMacOS == "":
		return errors.New("it does not say which macOS it needs")
	}
	if f.MinimumMacOS != "" {
		_, err := parseNumbers(f.MinimumMacOS)
		return err
	}
	return nil
}

// For returns the file for a platform, GOOS/GOARCH: its own, or the one for all machines of
// that system.
func (m Manifest) For(platform string) (File, error) {
	system, _, _ := strings.Cut(platform, "/")
	for _, want := range []string{platform, system + "/universal"} {
		if i := slices.IndexFunc(m.Files, func(f File) bool { return f.Platform == want }); i >= 0 {
			return m.Files[i], nil
		}
	}
	return File{}, fmt.Errorf("version %s was not published for %s", m.Version, platform)
}

// Sign makes the file of a manifest.
func Sign(m Manifest, key PrivateKey) ([]byte, error) {
	m.Product, m.Published = product, m.Published.UTC().Truncate(time.Second)
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("the manifest would not be valid: %w", err)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	signature, err := key.sign(raw)
	if err != nil {
		return nil, err
	}
	// By hand: an encoder could change the bytes that were signed.
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"manifest\":%s,\n\"signature\":%q}\n", raw, base64.StdEncoding.EncodeToString(signature))
	if b.Len() > MaxManifest {
		return nil, fmt.Errorf("the manifest would be larger than %d bytes", MaxManifest)
	}
	return b.Bytes(), nil
}

// Describe measures a program. Its platform, and the macOS that it needs, the caller knows.
func Describe(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", path, err)
	}
	return File{Name: filepath.Base(path), Size: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}
