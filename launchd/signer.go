package launchd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bluerelay/mac"
)

// Signer signs the bundle, so that macOS can tell that a new version is the same program.
type Signer struct {
	Tools mac.Tools

	// Name is that of a certificate in the user's keychains, such as "Developer ID
	// Application: …". Empty means the certificate of this Mac's own, which is made at the
	// first signing and is trusted by nobody, nor needs to be.
	Name string

	// Dir is where this Mac's own certificate is kept, with mode 0700.
	Dir string
}

// ErrSigning says that codesign would not sign, or not in a way that lasts.
var ErrSigning = errors.New("the application cannot be signed")

const (
	// signLimit is for one run of codesign, which may ask Apple for the time.
	signLimit = 2 * time.Minute
	// askLimit is for a look at a signature.
	askLimit = 30 * time.Second
)

// Sign signs the bundle at path in place, under BundleID, and checks the result. It refuses a signature
// whose requirement names the program's very bytes: with the next version every permission
// would be lost.
func (s Signer) Sign(ctx context.Context, path string) error {
	var err error
	if s.Name == "" {
		err = s.signOwn(ctx, path)
	} else {
		err = s.signNamed(ctx, path)
	}
	if err != nil {
		return err
	}
	return s.check(ctx, path)
}

// signNamed signs with the hardened runtime, which Apple wants of a Developer ID.
func (s Signer) signNamed(ctx context.Context, path string) error {
	dir, err := os.MkdirTemp("", "bluerelay")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "entitlements.plist")
	if err := os.WriteFile(file, []byte(entitlements), 0o600); err != nil {
		return err
	}
	return s.codesign(ctx, "--force", "--sign", s.Name, "--identifier", BundleID, "--options", "runtime", "--entitlements", file, path)
}

func (s Signer) codesign(ctx context.Context, args ...string) error {
	r, err := s.Tools.Run(ctx, signLimit, nil, "codesign", args...)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%w: codesign waits for something: answer the question of macOS on the screen (Always Allow) and try again", ErrSigning)
	}
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("%w: codesign ended with %d. %s", ErrSigning, r.Code, s.advice(r))
	}
	return nil
}

// advice is what a person can do about a codesign that failed. Its exit code says nothing
// beyond that, so its words are looked at; what they are not known to say is left unsaid.
func (s Signer) advice(r mac.Result) string {
	said := string(r.Errors)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(said, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("no identity found", "could not be found in the keychain"):
		return "There is no certificate " + s.who() + " in your keychains: `security find-identity -p codesigning` lists those that there are."
	case has("ambiguous"):
		return "More than one certificate is called " + s.who() + ": give the whole name, or the 40 digits that `security find-identity -p codesigning` shows."
	case has("errSecInternalComponent", "interaction is not allowed"):
		return "The keychain with the certificate is locked: run `security unlock-keychain`, or install at the Mac's screen."
	case has("timestamp"):
		return "Apple's time server cannot be reached, which a Developer ID needs: try again when the Mac is online."
	}
	return "Try again; if that does not help, give another certificate with --identity."
}

func (s Signer) who() string {
	if s.Name == "" {
		return fmt.Sprintf("%q", certificateName)
	}
	return fmt.Sprintf("%q", s.Name)
}

// check has macOS verify the signature, and makes sure that it lasts.
func (s Signer) check(ctx context.Context, path string) error {
	r, err := s.Tools.Run(ctx, askLimit, nil, "codesign", "--verify", "--strict", path)
	if err != nil {
		return err
	}
	if r.Code != 0 {
		return fmt.Errorf("%w: macOS does not accept the signature that was just made (codesign --verify ended with %d). Try again; if that does not help, restart the Mac", ErrSigning, r.Code)
	}
	requirement, err := s.Requirement(ctx, path)
	if err != nil {
		return err
	}
	if strings.Contains(requirement, "cdhash") {
		return fmt.Errorf("%w in a way that lasts: every update would lose the permissions. Leave --identity away, or give it the name of a certificate", ErrSigning)
	}
	return nil
}

// Requirement is what macOS demands of a program to be the one at path, as codesign words
// it: the permissions that a person gave are bound to it. The error is ErrSigning where
// path has no signature.
func (s Signer) Requirement(ctx context.Context, path string) (string, error) {
	r, err := s.Tools.Run(ctx, askLimit, nil, "codesign", "-d", "-r-", path)
	if err != nil {
		return "", err
	}
	if requirement := readRequirement(append(r.Out, r.Errors...)); r.Code == 0 && requirement != "" {
		return requirement, nil
	}
	return "", fmt.Errorf("%w: %s has no signature that can be read (codesign ended with %d)", ErrSigning, path, r.Code)
}

// readRequirement finds the designated requirement in what codesign prints. With a # before
// it, it is one that codesign has made up because the signature has none.
func readRequirement(said []byte) string {
	for line := range bytes.Lines(said) {
		text := strings.TrimSpace(string(line))
		if rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "# "), "designated => "); ok {
			return rest
		}
	}
	return ""
}
