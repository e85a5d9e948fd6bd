package mac

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// keychainLimit bounds one question. macOS asks the person for the keychain's password where
// it is locked and somebody is logged in at the screen; nobody may be there.
const keychainLimit = 15 * time.Second

// The two things that a person can mend.
var (
	ErrKeychainLocked = errors.New("the login keychain of this Mac is locked (-25308): log in at the Mac's screen, or run `security unlock-keychain`, and it goes on by itself")
	ErrKeychainItem   = errors.New("the login keychain has no such item any more")
)

// The exit codes of security are the last byte of the error: errSecItemNotFound is -25300,
// errSecInteractionNotAllowed -25308, errSecNoDefaultKeychain -25307, errSecAuthFailed -25293.
const (
	codeNotFound   = 44
	codeLocked     = 36
	codeNoKeychain = 37
	codeAuthFailed = 51
)

// Keychain is one generic password in the user's login keychain. Any program of this user
// can have it read by security(1), as ours does; other users and a stolen disk cannot.
type Keychain struct {
	Tools   Tools
	Service string
	Account string
}

// Get returns the secret, ErrKeychainLocked or ErrKeychainItem.
func (k Keychain) Get(ctx context.Context) (string, error) {
	result, err := k.Tools.Run(ctx, keychainLimit, nil, "security", "find-generic-password", "-s", k.Service, "-a", k.Account, "-w")
	if err := k.failed(ctx, result, err); err != nil {
		return "", err
	}
	return strings.TrimSuffix(string(result.Out), "\n"), nil
}

// Set stores the secret, over a former one, and reads it again: what security says of a
// command on its standard input cannot be relied on. The secret goes that way because
// arguments can be seen by every user of the Mac. It may have letters, digits, _ and dots.
func (k Keychain) Set(ctx context.Context, secret string) error {
	for _, word := range []string{k.Service, k.Account, secret} {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") != "" {
			return errors.New("a word for the keychain has characters that security would not take as they are")
		}
	}
	line := fmt.Sprintf("add-generic-password -U -s %s -a %s -l bluerelay -w %s\n", k.Service, k.Account, secret)
	result, err := k.Tools.Run(ctx, keychainLimit, []byte(line), "security", "-i")
	if err != nil {
		return k.failed(ctx, result, err)
	}
	switch got, err := k.Get(ctx); {
	case errors.Is(err, ErrKeychainItem):
		// It was not added, and why stands in the first answer, if anywhere.
		if isLocked(result) {
			return ErrKeychainLocked
		}
		return errors.New("the login keychain did not take the item: run without --keychain to keep the secret in a file")
	case err != nil:
		return err
	case got != secret:
		return errors.New("the login keychain still has another secret: delete the item bluerelay in Keychain Access, and try again")
	}
	return nil
}

// Delete removes the item, if there is one.
func (k Keychain) Delete(ctx context.Context) error {
	result, err := k.Tools.Run(ctx, keychainLimit, nil, "security", "delete-generic-password", "-s", k.Service, "-a", k.Account)
	if err := k.failed(ctx, result, err); !errors.Is(err, ErrKeychainItem) {
		return err
	}
	return nil
}

// failed says why security did not do what it was asked for, or nil. What it says itself is
// not repeated: it may hold names, and on its standard output the secret.
func (k Keychain) failed(ctx context.Context, r Result, err error) error {
	said := string(r.Errors)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return fmt.Errorf("the keychain did not answer within %s, perhaps because it asks for its password on the screen: %w", keychainLimit, ErrKeychainLocked)
	case err != nil:
		return err
	case r.Code == 0:
		return nil
	case r.Code == codeNotFound || strings.Contains(said, "could not be found") || strings.Contains(said, "-25300"):
		return ErrKeychainItem
	case isLocked(r):
		return ErrKeychainLocked
	case r.Code == codeNoKeychain:
		return errors.New("this user has no default keychain (-25307): log in at the Mac's screen once")
	}
	return fmt.Errorf("security ended with %d when it was asked for the keychain's item", r.Code)
}

func isLocked(r Result) bool {
	said := string(r.Errors)
	return r.Code == codeLocked || r.Code == codeAuthFailed || strings.Contains(said, "-25308") || strings.Contains(said, "interaction is not allowed")
}
