package cloud

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// idLength is the number of characters after the prefix, as in the vendors' ids.
const idLength = 12

// newID makes a random id: 60 bits, checked for uniqueness by the table.
func newID(prefix string) string { return prefix + randomText(idLength) }

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
