package launchd

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLabel        = 128
	labelCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
)

// validate returns every fault of the agent at once.
func (a Agent) validate() error {
	faults := []error{
		validateLabel(a.Label),
		validatePath("program", a.Program),
		validatePath("state folder", a.StateDir),
		validatePath("log folder", a.LogDir),
	}
	if a.BundleID != "" {
		faults = append(faults, validateLabel(a.BundleID))
	}
	for i, argument := range a.Arguments {
		if !isPlain(argument) {
			faults = append(faults, fmt.Errorf("argument %d has a control character or is not UTF-8", i+1))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Environment)) {
		faults = append(faults, validateVariable(name, a.Environment[name]))
	}
	return errors.Join(faults...)
}

// validateLabel is strict because the label is also a file name and a part of launchctl's
// gui/UID/LABEL.
func validateLabel(label string) error {
	if len(label) > maxLabel {
		return fmt.Errorf("label is longer than %d bytes", maxLabel)
	}
	for part := range strings.SplitSeq(label, ".") {
		if part == "" || strings.Trim(part, labelCharacters) != "" {
			return fmt.Errorf("label %q is not made of letters, digits, - and _ in parts joined by dots", label)
		}
	}
	if label[0] == '-' {
		return fmt.Errorf("label %q would be read as an option", label)
	}
	return nil
}

// validatePath wants a path that means the same from any working directory: launchd expands
// neither ~ nor variables.
func validatePath(what, name string) error {
	switch {
	case !isPlain(name):
		return fmt.Errorf("%s has a control character or is not UTF-8", what)
	case !path.IsAbs(name):
		return fmt.Errorf("%s %q is not an absolute path", what, name)
	case path.Clean(name) != name:
		return fmt.Errorf("%s %q is not in its shortest form, want %q", what, name, path.Clean(name))
	}
	return nil
}

// validateVariable never repeats the value, which may be the secret it complains about.
func validateVariable(name, value string) error {
	switch {
	case !isVariableName(name):
		return fmt.Errorf("environment variable %q is not a name of letters, digits and _", name)
	case !isPlain(value):
		return fmt.Errorf("environment variable %s has a control character or is not UTF-8", name)
	case namesSecret(name), holdsPassword(value):
		return fmt.Errorf("environment variable %s looks like a secret: keep it in a file of mode 0600, "+
			"a launch agent can be read by every program of the user", name)
	}
	return nil
}

func isVariableName(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != ""
}

// namesSecret errs on the side of refusing. Short words count only by themselves: KEY is a
// secret in API_KEY and none in KEYCHAIN.
func namesSecret(name string) bool {
	name = strings.ToUpper(name)
	for _, part := range []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "APIKEY"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	for word := range strings.SplitSeq(name, "_") {
		switch word {
		case "KEY", "KEYS", "PASS", "PW", "AUTH", "AUTHORIZATION", "BEARER", "COOKIE":
			return true
		}
	}
	return false
}

// holdsPassword finds the credentials in an address: a proxy's password, a pairing link's token.
func holdsPassword(value string) bool {
	address, err := url.Parse(value)
	if err != nil {
		// What cannot be read as an address may still hold one.
		return strings.Contains(value, "://") && strings.Contains(value, "@")
	}
	if _, has := address.User.Password(); has {
		return true
	}
	for name := range address.Query() {
		if namesSecret(name) {
			return true
		}
	}
	return false
}

// isPlain tells whether an XML property list and a C string can both carry s unchanged. The
// renderer would replace what XML cannot say without a word.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\uFFFE' || r == '\uFFFF'
	})
}
