package update

import (
	"bytes"
	"crypto"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var key = NewPrivateKey()

// someSHA256 is of nothing in particular.
var someSHA256 = strings.Repeat("0123456789abcdef", 4)

func someManifest() Manifest {
	return Manifest{
		Product: product, Version: "1.4.0", Published: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		Files: []File{
			{Platform: "darwin/universal", Name: "bluerelay-darwin", Size: 1000, SHA256: someSHA256, MinimumMacOS: "12.0"},
			{Platform: "linux/amd64", Name: "bluerelay_linux.amd64", Size: MaxFile, SHA256: someSHA256},
		},
	}
}

func sign(t testing.TB, m Manifest) []byte {
	t.Helper()
	data, err := Sign(m, key)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSignAndDecode(t *testing.T) {
	want := someManifest()
	data := sign(t, want)
	got, err := Decode(data, key.Public())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if again := sign(t, want); !bytes.Equal(again, data) {
		t.Error("the same manifest was signed differently")
	}
	// One of several keys is enough, in any order.
	both := append(NewPrivateKey().Public(), key.Public()...)
	keys, err := ParsePublicKeys(strings.ReplaceAll(both.String(), ",", "\r\n "))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(data, keys); err != nil {
		t.Error(err)
	}
	if k, err := ParsePrivateKey(key.Seed() + "\n"); err != nil || k.Public().String() != key.Public().String() {
		t.Errorf("the key is another one after it was written and read: %v", err)
	}
}

// What is not signed by a known key, byte by byte, is not looked at.
func TestDecodeRefusesSignatures(t *testing.T) {
	data := sign(t, someManifest())
	var s signed
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	over := func(raw []byte, signature []byte) []byte {
		d, err := json.Marshal(map[string]any{"manifest": json.RawMessage(raw), "signature": signature})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	plain, err := key.key.Sign(nil, s.Manifest, crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string][]byte{
		"another version":      bytes.Replace(data, []byte("1.4.0"), []byte("1.4.1"), 1),
		"a space more":         bytes.Replace(data, []byte(`{"product"`), []byte(`{ "product"`), 1),
		"no signature":         over(s.Manifest, nil),
		"an empty signature":   over(s.Manifest, []byte{}),
		"half a signature":     over(s.Manifest, s.Signature[:32]),
		"a signature too long": over(s.Manifest, append(bytes.Clone(s.Signature), 0)),
		"for another purpose":  over(s.Manifest, plain),
		"a second manifest":    append(bytes.TrimSuffix(bytes.TrimSpace(bytes.Clone(data)), []byte("}")), []byte(`,"manifest":{"version":"9.9.9"}}`)...),
	} {
		if _, err := Decode(d, key.Public()); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, keys := range map[string]PublicKeys{"another key": NewPrivateKey().Public(), "no key": nil} {
		if _, err := Decode(data, keys); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, d := range map[string]string{"nothing": "", "a page": "<!doctype html>", "a list": "[]", "null": "null", "no manifest": "{}", "too much": strings.Repeat(" ", MaxManifest+1)} {
		if _, err := Decode([]byte(d), key.Public()); err == nil || errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A release that is put together wrongly is not signed, and if it was, not used.
func TestManifestIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Manifest){
		"no version":       func(m *Manifest) { m.Version = "" },
		"two numbers":      func(m *Manifest) { m.Version = "1.4" },
		"a candidate":      func(m *Manifest) { m.Version = "1.4.0-rc.1" },
		"with v":           func(m *Manifest) { m.Version = "v1.4.0" },
		"with zeros":       func(m *Manifest) { m.Version = "1.04.0" },
		"endless numbers":  func(m *Manifest) { m.Version = "1.4." + strings.Repeat("9", 30) },
		"no date":          func(m *Manifest) { m.Published = time.Time{} },
		"no files":         func(m *Manifest) { m.Files = nil },
		"too many files":   func(m *Manifest) { m.Files = make([]File, maxFiles+1) },
		"twice a platform": func(m *Manifest) { m.Files[1] = m.Files[0] },
		"no platform":      func(m *Manifest) { m.Files[0].Platform = "" },
		"half a platform":  func(m *Manifest) { m.Files[0].Platform = "darwin/" },
		"odd platform":     func(m *Manifest) { m.Files[0].Platform = "darwin/a/b" },
		"no name":          func(m *Manifest) { m.Files[0].Name = "" },
		"a path":           func(m *Manifest) { m.Files[0].Name = "../bluerelay" },
		"a hidden file":    func(m *Manifest) { m.Files[0].Name = ".bluerelay" },
		"an address":       func(m *Manifest) { m.Files[0].Name = "https://example.com/x" },
		"no size":          func(m *Manifest) { m.Files[0].Size = 0 },
		"too large":        func(m *Manifest) { m.Files[0].Size = MaxFile + 1 },
		"no hash":          func(m *Manifest) { m.Files[0].SHA256 = "" },
		"hash in capitals": func(m *Manifest) { m.Files[0].SHA256 = strings.ToUpper(someSHA256) },
		"no macOS":         func(m *Manifest) { m.Files[0].MinimumMacOS = "" },
		"odd macOS":        func(m *Manifest) { m.Files[0].MinimumMacOS = "Sonoma" },
	} {
		m := someManifest()
		change(&m)
		if _, err := Sign(m, key); err == nil {
			t.Errorf("%s: it was signed", name)
		}
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(raw); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
	other := bytes.Replace(mustRaw(t, someManifest()), []byte(product), []byte("greenrelay"), 1)
	if _, err := parse(other); err == nil || !strings.Contains(err.Error(), "greenrelay") {
		t.Errorf("another product: %v", err)
	}
	// What later versions say beyond it is no reason to stay behind.
	more := bytes.Replace(mustRaw(t, someManifest()), []byte(`{"product"`), []byte(`{"notes":{"en":"x"},"product"`), 1)
	if _, err := parse(more); err != nil {
		t.Error(err)
	}
}

func mustRaw(t testing.TB, m Manifest) []byte {
	t.Helper()
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestFor(t *testing.T) {
	m := someManifest()
	for platform, want := range map[string]string{"darwin/arm64": "bluerelay-darwin", "darwin/amd64": "bluerelay-darwin", "linux/amd64": "bluerelay_linux.amd64", "linux/arm64": ""} {
		f, err := m.For(platform)
		if f.Name != want || (err == nil) != (want != "") {
			t.Errorf("%s: %+v, %v", platform, f, err)
		}
	}
	// The own one is better than the one for all.
	m.Files = append(m.Files, File{Platform: "darwin/arm64", Name: "own"})
	if f, err := m.For("darwin/arm64"); err != nil || f.Name != "own" {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestVersions(t *testing.T) {
	order := []string{"0.0.0", "0.0.9", "v0.0.10", "0.1.0", "1.0.0", "v1.0.1", "1.1.0", "1.9.0", "1.10.0", "2.0.0", "10.0.0", "999999.0.0"}
	for i, a := range order {
		for j, b := range order {
			v, err := ParseVersion(a)
			w, werr := ParseVersion(b)
			if err != nil || werr != nil {
				t.Fatal(err, werr)
			}
			if got := v.Compare(w); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	for _, s := range []string{"", "dev", "1", "1.2", "1.2.3.4", "1..3", "1.2.3-rc", "-1.2.3", "+1.2.3", "1.2.", "1.2.0000000", "vv1.2.3", "1.2.3 ", "١.2.3"} {
		if v, err := ParseVersion(s); err == nil {
			t.Errorf("%q is %s", s, v)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, s := range []string{"", " \n", "x", key.Public().String() + ",AAAA", key.Public().String()[:20]} {
		if _, err := ParsePublicKeys(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
	for _, s := range []string{"", "secret words", key.Seed()[:20], key.Seed() + key.Seed()} {
		if _, err := ParsePrivateKey(s); err == nil || s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := BuiltIn(); !errors.Is(err, ErrNoKey) {
		t.Errorf("a build without a key: %v", err)
	}
}

func TestDescribe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Describe(path)
	if want := (File{Name: "program", Size: 3, SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}); err != nil || f != want {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := Describe(path + ".gone"); err == nil {
		t.Error("a file that is not there was measured")
	}
}

// FuzzManifest has strangers write the file: nothing is believed without the signature, and
// what is read after it has the bounds that the rest of this package relies on.
func FuzzManifest(f *testing.F) {
	good := sign(f, someManifest())
	var s signed
	if err := json.Unmarshal(good, &s); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(s.Manifest))
	f.Add([]byte(`{"manifest":{},"signature":""}`))
	f.Add([]byte(`{"product":"bluerelay","version":"1.4.0","published":"2026-01-01T00:00:00Z","files":[{"platform":"a/b","name":"c","size":1,"sha256":"` + someSHA256 + `"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := Decode(data, key.Public()); err == nil && !reflect.DeepEqual(m, someManifest()) {
			t.Fatalf("it was believed: %s", data)
		}
		m, err := parse(data)
		if err != nil {
			return
		}
		if _, err := ParseVersion(m.Version); err != nil {
			t.Fatal(err)
		}
		for _, file := range m.Files {
			if filepath.Base(file.Name) != file.Name || file.Size < 1 || file.Size > MaxFile || len(file.SHA256) != 64 {
				t.Fatalf("%+v", file)
			}
			if got, err := m.For(file.Platform); err != nil || got != file {
				t.Fatalf("%+v instead of %+v, %v", got, file, err)
			}
		}
	})
}
