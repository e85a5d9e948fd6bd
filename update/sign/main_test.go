package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bluerelay/update"
)

func TestSign(t *testing.T) {
	dir := t.TempDir()
	keyFile, program, out := filepath.Join(dir, "key"), filepath.Join(dir, "bluerelay-darwin"), filepath.Join(dir, "manifest.json")
	if err := makeKey(keyFile); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := makeKey(keyFile); err == nil {
		t.Error("a key was written over")
	}
	if err := os.WriteFile(program, []byte("a program"), 0o700); err != nil {
		t.Fatal(err)
	}
	seed, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := update.ParsePrivateKey(string(seed))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1790000000")
	files := []string{"darwin/universal=" + program, "linux/amd64=" + program}
	check := func(r release) {
		t.Helper()
		if err := r.sign(files); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		m, err := update.Decode(data, key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if m.Version != "1.4.0" || !m.Published.Equal(time.Unix(1790000000, 0)) || len(m.Files) != 2 || m.Files[0].Size != 9 || m.Files[0].MinimumMacOS != "13.1" || m.Files[1].MinimumMacOS != "" {
			t.Errorf("%+v", m)
		}
	}
	check(release{keyFile, "v1.4.0", "13.1", "", out})
	if err := (release{"", "1.4.0", "13.1", "", out}).sign(files); err == nil || !strings.Contains(err.Error(), keyVariable) {
		t.Errorf("without a key: %v", err)
	}
	t.Setenv(keyVariable, string(seed))
	check(release{"", "1.4.0", "13.1", "", out})
	for name, try := range map[string]error{
		"no platform":    release{"", "1.4.0", "12.0", "", out}.sign([]string{program}),
		"no program":     release{"", "1.4.0", "12.0", "", out}.sign([]string{"darwin/arm64=" + program + ".gone"}),
		"no programs":    release{"", "1.4.0", "12.0", "", out}.sign(nil),
		"no version":     release{"", "", "12.0", "", out}.sign(files),
		"an odd time":    release{"", "1.4.0", "12.0", "yesterday", out}.sign(files),
		"no such folder": release{"", "1.4.0", "12.0", "", filepath.Join(dir, "no", "manifest.json")}.sign(files),
	} {
		if try == nil {
			t.Errorf("%s: it was signed", name)
		}
	}
}
