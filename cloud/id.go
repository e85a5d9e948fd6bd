package cloud

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// idLength is the number of characters after the prefix, as in the vendors' ids.
const idLength = 12

// newID makes a random id: 60 bits, checked for uniqueness by the table. Messages have
// newMessageID.
func newID(prefix string) string { return prefix + randomText(idLength) }

// A message's id begins with the time, so that those of one hour lie beside each other in
// every index and a commit of many touches few pages. 35 bits count units of about 33 ms
// since 2026, enough for 36 years; 25 bits are random. Within one process each is greater
// than the one before; what another one has taken the table refuses.
const (
	idEpoch    = 1767225600_000_000_000 // 2026-01-01, Unix ns
	idUnitBits = 25
)

// lastID is the number of the latest message's id.
var lastID atomic.Uint64

func newMessageID(now time.Time) string {
	for {
		last := lastID.Load()
		next := uint64(max(now.UnixNano()-idEpoch, 0)) >> idUnitBits << idUnitBits
		if next > last {
			next |= randomBits(idUnitBits)
		} else {
			next = last + 1 + randomBits(8)
		}
		if lastID.CompareAndSwap(last, next) {
			return messageID(next)
		}
	}
}

// randomBits is a random number of n bits.
func randomBits(n int) uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) >> (64 - n)
}

// randomText is n characters of [a-z2-7], five bits each.
func randomText(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(strings.ToLower(rand.Text()))
	}
	return b.String()[:n]
}

// hashSecret is what is stored of a key or token. They are random and long, so one
// round is enough.
func hashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// newWebhookSecret fits both schemes: Texting Blue's, which uses the whole string,
// and Standard Webhooks', which decodes what follows the prefix.
func newWebhookSecret() string {
	var raw [24]byte
	rand.Read(raw[:]) // never fails
	return "whsec_" + base64.StdEncoding.EncodeToString(raw[:])
}

// passwordRounds of PBKDF2 with SHA-256: about a tenth of a second.
const passwordRounds = 600_000

// hashPassword is what is stored of a person's password.
func hashPassword(password string) (string, error) {
	salt := rand.Text()
	sum, err := pbkdf2.Key(sha256.New, password, []byte(salt), passwordRounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return fmt.Sprintf("pbkdf2-sha256$%d$%s$%s", passwordRounds, salt, hex.EncodeToString(sum)), nil
}
