package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/launchd"
)

// The daemon's arguments, with the two of updates put in, exchanged and taken away.
func TestAutoUpdateArguments(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), 0o600); err != nil {
		t.Fatal(err)
	}
	f := updateFlags{"https://example.com/manifest.json", key}
	on, err := autoUpdate([]string{"--chat-db", "x"}, true, f)
	if want := "--chat-db x --update-from https://example.com/manifest.json --update-key " + key; err != nil || strings.Join(on, " ") != want {
		t.Errorf("%q, %v", on, err)
	}
	if got := (updateFlags{}).or(on); got != f {
		t.Errorf("%+v", got)
	}
	again, err := autoUpdate(on, true, updateFlags{"https://example.org/manifest.json", key})
	if err != nil || len(again) != len(on) || again[3] != "https://example.org/manifest.json" {
		t.Errorf("%q, %v", again, err)
	}
	if off, err := autoUpdate(again, false, updateFlags{}); err != nil || strings.Join(off, " ") != "--chat-db x" {
		t.Errorf("%q, %v", off, err)
	}
	for _, f := range []updateFlags{{}, {"https://example.com/m.json", ""}, {"https://example.com/m.json", key + "x"}} {
		if got, err := autoUpdate(nil, true, f); err == nil {
			t.Errorf("%+v: %q", f, got)
		}
	}
}

// Both forms in which `run` understands a flag are found and taken away.
func TestAutoUpdateArgumentsInOneWord(t *testing.T) {
	arguments := []string{"--update-from=https://example.com/m.json", "--update-key=/k", "--chat-db", "x"}
	if got := (updateFlags{}).or(arguments); got != (updateFlags{"https://example.com/m.json", "/k"}) {
		t.Errorf("%+v", got)
	}
	if off, err := autoUpdate(arguments, false, updateFlags{}); err != nil || strings.Join(off, " ") != "--chat-db x" {
		t.Errorf("%q, %v", off, err)
	}
}

// What install decides itself cannot be decided again behind its back.
func TestArgumentsOfRun(t *testing.T) {
	for given, want := range map[string]string{
		"-- --chat-db x":      "",
		"-- --state x":        "before the --",
		"-- --state=x":        "before the --",
		"-- --log-dir x":      "before the --",
		"-- --chat-bd x":      "would not understand",
		"-- --chat-db x more": "takes no \"more\"",
		"more":                "is no flag",
	} {
		cmd := installCommand()
		err := cmd.ParseFlags(strings.Fields(given))
		if err == nil {
			err = argumentsOfRun(cmd, cmd.Flags().Args())
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", given, err, want)
		}
	}
}

// Root is told so before a setup URL is spent, or a file is left that the user cannot change.
func TestNotAsRoot(t *testing.T) {
	was := asRoot
	t.Cleanup(func() { asRoot = was })
	asRoot = true
	for _, command := range []func() *cobra.Command{runCommand, pairCommand, setupCommand, importCommand} {
		cmd := command()
		if cmd.PreRunE == nil || !errors.Is(cmd.PreRunE(cmd, nil), launchd.ErrRoot) {
			t.Errorf("root may %s", cmd.Name())
		}
	}
}

// Without --state a command means the state of the daemon that is installed.
func TestDaemonDir(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_DATA_HOME", "")
	usual, err := (&places{}).stateDir()
	if err != nil {
		t.Fatal(err)
	}
	want := func(p places, dir string) {
		t.Helper()
		if got, err := p.daemonDir(); err != nil || got != dir {
			t.Errorf("%q, %v, want %q", got, err, dir)
		}
	}
	want(places{}, usual)
	path, err := launchd.DefaultPath(label)
	if err != nil {
		t.Fatal(err)
	}
	a := launchd.Agent{Label: label, Program: "/x/bluerelay", StateDir: filepath.Join(home, "elsewhere"), LogDir: home}
	if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Dir(path)), 0o700), a.Write(path)); err != nil {
		t.Fatal(err)
	}
	want(places{}, a.StateDir)
	want(places{state: "/given"}, "/given")
	if err := os.WriteFile(path, []byte("<plist>"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(places{}, usual)
}

// A SIGTERM that comes before the daemon has begun ends it all the same.
func TestRunIsStoppedAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	cmd := runCommand()
	cmd.SetArgs([]string{"--state", filepath.Join(dir, "state"), "--chat-db", filepath.Join(dir, "chat.db"), "--log-dir", filepath.Join(dir, "logs"), "--keep-awake=false"})
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it runs on")
	}
}
