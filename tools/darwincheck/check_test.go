package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckRefusesABuildWithoutCgo makes the mistake that darwincheck exists
// for and expects it to be named.
func TestCheckRefusesABuildWithoutCgo(t *testing.T) {
	program := crossBuild(t, "darwin", "arm64")
	_, err := check(program, want{arch: "arm64", identifier: "com.bluerelay.agent"})
	wantFaults(t, err, `CGO_ENABLED="0"`, "SQLite is not in it", `-trimpath=""`, "no Info.plist")

	_, err = check(program, want{arch: "amd64"})
	wantFaults(t, err, `GOARCH="arm64"`, "processor is")
}

func TestCheckRefusesOtherSystems(t *testing.T) {
	_, err := check(crossBuild(t, "linux", "arm64"), want{arch: "arm64"})
	wantFaults(t, err, "not a Mach-O program")
}

func TestCheckRefusesOneProgramAsUniversal(t *testing.T) {
	_, err := check(crossBuild(t, "darwin", "arm64"), want{arch: "universal"})
	wantFaults(t, err, "not a universal program")
}

func TestReadInfo(t *testing.T) {
	got, err := readInfo([]byte(`<?xml version="1.0"?><plist><dict>
	<key>A</key><string>a &amp; b</string> <key>B</key><true/> <key>C</key> <string></string></dict></plist>`))
	want := map[string]string{"A": "a & b", "B": "true", "C": ""}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := readInfo([]byte("<plist><dict>")); err == nil {
		t.Error("half a property list is read")
	}
}

func TestCheckRefusesUnknownArchitecture(t *testing.T) {
	_, err := check(crossBuild(t, "darwin", "arm64"), want{arch: "m68k"})
	wantFaults(t, err, "m68k")
}

func crossBuild(t *testing.T, system, arch string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+system, "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build.Args, err, out)
	}
	return program
}

func wantFaults(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want faults with %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("faults do not name %q:\n%v", w, err)
		}
	}
}
