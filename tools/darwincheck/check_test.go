package main

import (
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
	_, err := check(program, "arm64")
	wantFaults(t, err, `CGO_ENABLED="0"`, "SQLite is not in it", `-trimpath=""`)

	_, err = check(program, "amd64")
	wantFaults(t, err, `GOARCH="arm64"`, "processor is")
}

func TestCheckRefusesOtherSystems(t *testing.T) {
	_, err := check(crossBuild(t, "linux", "arm64"), "arm64")
	wantFaults(t, err, "not a Mach-O program")
}

func TestCheckRefusesUnknownArchitecture(t *testing.T) {
	_, err := check("any", "m68k")
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
