package update

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// publicKeys are built in when a release is built:
//
//	-ldflags "-X bluerelay/update.publicKeys=KEY[,KEY]"
//
// More than one is for the time in which a key is exchanged for another.
var publicKeys string

// ErrNoKey says that this build trusts nobody.
var ErrNoKey = errors.New("this program was built without a key to check updates with: give one with --update-key FILE, or update by hand")

// PublicKeys are the keys whose signatures are believed.
type PublicKeys []ed25519.PublicKey

// BuiltIn are the keys that this program was built with, or ErrNoKey.
func BuiltIn() (PublicKeys, error) {
	if publicKeys == "" {
		return nil, ErrNoKey
	}
	return ParsePublicKeys(publicKeys)
}

// ParsePublicKeys reads keys in base64, with commas, spaces or ends of lines between them.
func ParsePublicKeys(s string) (PublicKeys, error) {
	var keys PublicKeys
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' }) {
		key, err := base64.StdEncoding.DecodeString(word)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, errors.New("a public key for updates is not 32 bytes in base64")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no public key for updates in it")
	}
	return keys, nil
}

// purpose is what a signature is for, so that no signature over anything else fits.
var purpose = &ed25519.Options{Context: "bluerelay update manifest 1"}

func (keys PublicKeys) verify(data, signature []byte) bool {
	for _, key := range keys {
		if ed25519.VerifyWithOptions(key, data, signature, purpose) == nil {
			return true
		}
	}
	return false
}

// PrivateKey signs manifests.
type PrivateKey struct{ key ed25519.PrivateKey }

// NewPrivateKey makes one.
func NewPrivateKey() PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // never fails
	return PrivateKey{ed25519.NewKeyFromSeed(seed)}
}

// ParsePrivateKey reads what Seed wrote. Its error says nothing of the key.
func ParsePrivateKey(s string) (PrivateKey, error) {
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(s))
	if err != nil || len(seed) != ed25519.SeedSize {
		return PrivateKey{}, errors.New("the private key is not 32 bytes in base64")
	}
	return PrivateKey{ed25519.NewKeyFromSeed(seed)}, nil
}

// Seed is the key in base64: the secret itself.
func (k PrivateKey) Seed() string { return base64.StdEncoding.EncodeToString(k.key.Seed()) }

// Public is the key to check its signatures with.
func (k PrivateKey) Public() PublicKeys { return PublicKeys{k.key.Public().(ed25519.PublicKey)} }

// String writes keys as ParsePublicKeys reads them.
func (keys PublicKeys) String() string {
	words := make([]string, len(keys))
	for i, key := range keys {
		words[i] = base64.StdEncoding.EncodeToString(key)
	}
	return strings.Join(words, ",")
}

func (k PrivateKey) sign(data []byte) ([]byte, error) {
	signature, err := k.key.Sign(nil, data, purpose)
	if err != nil {
		return nil, fmt.Errorf("sign the manifest: %w", err)
	}
	return signature, nil
}
