package launchd_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/launchd"
	"bluerelay/launchd/launchdtest"
)

const patience = time.Minute

// home is a person's home folder with a program that was downloaded into it.
type home struct {
	dir     string
	mac     *launchdtest.Mac
	program string
}

func newHome(t *testing.T) home {
	t.Helper()
	h := home{dir: t.TempDir(), mac: launchdtest.New(t)}
	h.program = filepath.Join(h.dir, "Downloads", "bluerelay")
	h.download(t, "1")
	return h
}

// download puts a version of the program into the home folder.
func (h home) download(t *testing.T, version string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(h.program), 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\n# version " + version + "\n[ \"$1\" = --version ] && exit\nexec sleep 600\n"
	if err := os.WriteFile(h.program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
}

func (h home) bundle() launchd.Bundle {
	return launchd.Bundle{
		Path: filepath.Join(h.dir, "Applications", "bluerelay.app"), Version: "1.2.3",
		Signer: launchd.Signer{Tools: h.mac.Tools, Dir: filepath.Join(h.dir, "state", "signing")},
	}
}

// wantVersion fails unless the bundle is whole and holds that version, "" for none.
func (h home) wantVersion(t *testing.T, version string) {
	t.Helper()
	b := h.bundle()
	if version == "" {
		if _, err := os.Lstat(b.Path); err == nil {
			t.Error("there is a bundle")
		}
		return
	}
	data, err := os.ReadFile(b.Program())
	if err != nil || !strings.Contains(string(data), "# version "+version+"\n") {
		t.Errorf("the bundle holds %q, %v, want version %s", data, err, version)
	}
	if got, err := h.mac.Tools.Run(t.Context(), patience, nil, "codesign", "--verify", "--strict", b.Path); err != nil || got.Code != 0 {
		t.Errorf("the bundle is not whole: %s %v", got.Errors, err)
	}
}

func TestReplace(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	h.wantVersion(t, "1")
	first, err := b.Signer.Requirement(t.Context(), b.Path)
	if err != nil || !strings.Contains(first, `identifier "`+launchd.BundleID+`" and certificate leaf = H"`) {
		t.Errorf("%q %v", first, err)
	}
	if err := b.Rollback(); !errors.Is(err, launchd.ErrNoFormer) {
		t.Errorf("went back to nothing: %v", err)
	}

	h.download(t, "2")
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	h.wantVersion(t, "2")
	if second, err := b.Signer.Requirement(t.Context(), b.Path); err != nil || second != first {
		t.Errorf("another version is another program to macOS: %q, %q, %v", first, second, err)
	}
	if err := b.Rollback(); err != nil {
		t.Fatal(err)
	}
	h.wantVersion(t, "1")

	// What a crash has left of a version that was being made is nothing to go back to.
	if err := os.MkdirAll(filepath.Join(filepath.Dir(b.Path), ".bluerelay", "next.app", "Contents"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.Rollback(); !errors.Is(err, launchd.ErrNoFormer) {
		t.Errorf("went back to half a version: %v", err)
	}
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	if err := b.Keep(); err != nil {
		t.Fatal(err)
	}
	if err := b.Rollback(); !errors.Is(err, launchd.ErrNoFormer) {
		t.Errorf("went back after Keep: %v", err)
	}
	h.wantVersion(t, "2")
	wantOnly(t, filepath.Dir(b.Path), ".bluerelay", "bluerelay.app")
}

func TestBundleInfo(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(b.Path, "Contents", "Info.plist"))
	if err != nil || string(data) != string(launchd.InfoPlist("1.2.3")) {
		t.Errorf("%s %v", data, err)
	}
}

// TestCertificate holds what macOS wants of a certificate for signing against the file that
// was made, with openssl, and that no secret was in a list of processes.
func TestCertificate(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(b.Signer.Dir, "certificate.pem")
	text, err := exec.Command("openssl", "x509", "-in", file, "-noout", "-text").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, want := range []string{"CN = bluerelay code signing", "CA:FALSE", "Digital Signature", "Code Signing", "2048 bit", "sha256WithRSA"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the certificate lacks %q:\n%s", want, text)
		}
	}
	password, err := os.ReadFile(filepath.Join(b.Signer.Dir, "password"))
	if err != nil {
		t.Fatal(err)
	}
	state := h.mac.State(t)
	for _, call := range state.Calls {
		if strings.Contains(strings.Join(call.Args, " "), strings.TrimSpace(string(password))) {
			t.Errorf("the password is an argument of %s", call.Program)
		}
	}
	if data, err := os.ReadFile(filepath.Join(b.Signer.Dir, "signing.keychain-db")); err != nil || !strings.Contains(string(data), `"Hidden":true`) {
		t.Errorf("the key can be taken out of the keychain again: %v", err)
	}
	if len(state.Keychains) != 1 {
		t.Errorf("the search list is %q", state.Keychains)
	}
	wantOnly(t, b.Signer.Dir, "certificate.pem", "password", "signing.keychain-db")
	for _, name := range []string{".", "password", "certificate.pem", "signing.keychain-db"} {
		if info, err := os.Stat(filepath.Join(b.Signer.Dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s can be read by others: %v %v", name, info.Mode(), err)
		}
	}
}

// A crash while the certificate is made leaves nothing that the next one stumbles over, and
// one that is damaged is never replaced in silence.
func TestCertificateAfterACrashAndDamage(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	h.mac.Change(t, func(s *launchdtest.State) {
		s.Fail["security -i"] = []launchdtest.Failure{{Code: 1, Text: "the power went", Anyway: true}}
		s.Fail["security find-identity"] = []launchdtest.Failure{{Code: 1, Text: "nichts"}}
	})
	if err := b.Replace(t.Context(), h.program); !errors.Is(err, launchd.ErrCertificate) {
		t.Fatalf("%v", err)
	}
	h.wantVersion(t, "")
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	chain := filepath.Join(b.Signer.Dir, "signing.keychain-db")
	for name, damage := range map[string]func() error{
		"keychain gone":  func() error { return os.Remove(chain) },
		"keychain empty": func() error { return os.WriteFile(chain, nil, 0o600) },
		"certificate":    func() error { return os.WriteFile(filepath.Join(b.Signer.Dir, "certificate.pem"), []byte("x"), 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		h.download(t, "2")
		if err := b.Replace(t.Context(), h.program); !errors.Is(err, launchd.ErrCertificate) || !strings.Contains(err.Error(), "given again") {
			t.Errorf("%s: %v", name, err)
		}
		h.wantVersion(t, "1")
	}
}

// A keychain that could not be asked is not taken for one that has lost the certificate: to
// remove it would cost every permission.
func TestKeychainCannotBeAsked(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	before, err := b.Signer.Requirement(t.Context(), b.Path)
	if err != nil {
		t.Fatal(err)
	}
	h.download(t, "2")
	h.mac.Change(t, func(s *launchdtest.State) {
		s.Fail["security find-identity"] = []launchdtest.Failure{{Code: 1, Text: "beschäftigt"}}
		s.Locked, s.Unlocked = true, map[string]bool{}
	})
	err = b.Replace(t.Context(), h.program)
	if !errors.Is(err, launchd.ErrCertificate) || !strings.Contains(err.Error(), "ended with 1). Try again") || strings.Contains(err.Error(), "given again") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Replace(ctx, h.program); !errors.Is(err, context.Canceled) || errors.Is(err, launchd.ErrCertificate) {
		t.Errorf("%v", err)
	}
	h.wantVersion(t, "1")
	// One that is locked lists nothing before it is unlocked.
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Error(err)
	}
	h.wantVersion(t, "2")
	if after, err := b.Signer.Requirement(t.Context(), b.Path); err != nil || after != before {
		t.Errorf("%q after %q, %v", after, before, err)
	}
}

// Where nobody sits at the Mac, a version that macOS would take for another program is not
// put in place.
func TestReplaceKeepsTheIdentity(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.Requirement, err = b.Signer.Requirement(t.Context(), b.Path); err != nil {
		t.Fatal(err)
	}
	h.download(t, "2")
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	h.wantVersion(t, "2")
	if err := os.RemoveAll(b.Signer.Dir); err != nil {
		t.Fatal(err)
	}
	h.download(t, "3")
	if err := b.Replace(t.Context(), h.program); !errors.Is(err, launchd.ErrIdentity) || !strings.Contains(err.Error(), "bluerelay install") {
		t.Errorf("%v", err)
	}
	h.wantVersion(t, "2")
	wantOnly(t, filepath.Join(filepath.Dir(b.Path), ".bluerelay"), "former.app", "lock")
}

// A program that does not start once it is signed cannot take itself back, so it does not get
// as far as its place.
func TestReplaceTriesTheProgram(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"#!/bin/sh\nkill -9 $$\n", "#!/bin/sh\nexit 3\n", "\x7fELF and so on"} {
		if err := os.WriteFile(h.program, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := b.Replace(t.Context(), h.program); err == nil || !strings.Contains(err.Error(), "does not start on this Mac once it is signed") {
			t.Errorf("%q: %v", script, err)
		}
		h.wantVersion(t, "1")
		wantOnly(t, filepath.Join(filepath.Dir(b.Path), ".bluerelay"), "lock")
	}
}

func TestNamedIdentity(t *testing.T) {
	h := newHome(t)
	h.mac.Change(t, func(s *launchdtest.State) { s.Named["Developer ID Application: Zoë"] = "AB12" })
	b := h.bundle()
	b.Signer.Name = "Developer ID Application: Zoë"
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	var args []string
	for _, call := range h.mac.State(t).Calls {
		if call.Program == "codesign" && slices.Contains(call.Args, "--sign") {
			args = call.Args
		}
	}
	if joined := strings.Join(args, " "); !strings.Contains(joined, "--options runtime --entitlements ") {
		t.Errorf("signed with %s", joined)
	}
	if _, err := os.Stat(b.Signer.Dir); err == nil {
		t.Error("a certificate was made although one was named")
	}
}

func TestSigningFails(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	if err := b.Replace(t.Context(), h.program); err != nil {
		t.Fatal(err)
	}
	h.download(t, "2")
	for name, test := range map[string]struct {
		signer string
		fail   map[string]launchdtest.Failure
		want   string
	}{
		"no such identity":  {"Developer ID Application: Bo", nil, `no certificate "Developer ID Application: Bo"`},
		"ad hoc":            {"-", nil, "every update would lose the permissions"},
		"ambiguous":         {"", map[string]launchdtest.Failure{"codesign --force": {Code: 1, Text: "x: ambiguous (matches \"a\" and \"b\")"}}, "More than one"},
		"locked":            {"", map[string]launchdtest.Failure{"codesign --force": {Code: 1, Text: "x: errSecInternalComponent"}}, "unlock-keychain"},
		"no time":           {"", map[string]launchdtest.Failure{"codesign --force": {Code: 1, Text: "x: The timestamp service is not available."}}, "online"},
		"another language":  {"", map[string]launchdtest.Failure{"codesign --force": {Code: 1, Text: "x: geht nicht"}}, "ended with 1"},
		"broken after all":  {"", map[string]launchdtest.Failure{"codesign --verify": {Code: 3, Text: "x: kaputt"}}, "does not accept"},
		"unreadable":        {"", map[string]launchdtest.Failure{"codesign -d": {Code: 1, Text: "x: kaputt"}}, "no signature that can be read"},
		"keychains unknown": {"", map[string]launchdtest.Failure{"security list-keychains": {Code: 1, Text: "verboten"}}, "list of your keychains"},
	} {
		t.Run(name, func(t *testing.T) {
			before := h.mac.State(t).Keychains
			h.mac.Change(t, func(s *launchdtest.State) {
				for verb, fail := range test.fail {
					s.Fail[verb] = []launchdtest.Failure{fail}
				}
			})
			b.Signer.Name = test.signer
			err := b.Replace(t.Context(), h.program)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "geht nicht") || strings.Contains(err.Error(), "kaputt") {
				t.Errorf("the words of a program are repeated: %v", err)
			}
			h.wantVersion(t, "1")
			if after := h.mac.State(t).Keychains; !slices.Equal(before, after) {
				t.Errorf("the search list was %q and is %q", before, after)
			}
			wantOnly(t, filepath.Join(filepath.Dir(b.Path), ".bluerelay"), "lock")
		})
	}
}

func TestReplaceRefuses(t *testing.T) {
	h := newHome(t)
	b := h.bundle()
	folder := filepath.Dir(b.Path)
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := b.Replace(t.Context(), h.program); err == nil || !strings.Contains(err.Error(), "can be written by others") {
		t.Errorf("a folder of everybody: %v", err)
	}
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.Replace(t.Context(), filepath.Dir(h.program)); err == nil || !strings.Contains(err.Error(), "is no program") {
		t.Errorf("a folder for a program: %v", err)
	}
	if err := b.Replace(t.Context(), h.program+".gone"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no program: %v", err)
	}
	h.wantVersion(t, "")

	lock, err := os.Open(filepath.Join(folder, ".bluerelay", "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := b.Replace(t.Context(), h.program); !errors.Is(err, launchd.ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
}
