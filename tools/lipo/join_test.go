package main

import (
	"bytes"
	"debug/macho"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestJoin reads what was joined with the standard library's reader of such files.
func TestJoin(t *testing.T) {
	dir := t.TempDir()
	arm, intel := crossBuild(t, dir, "arm64"), crossBuild(t, dir, "amd64")
	joined, err := join([]string{arm, intel})
	if err != nil {
		t.Fatal(err)
	}
	fat, err := macho.NewFatFile(bytes.NewReader(joined))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name string
		cpu  macho.Cpu
	}{{arm, macho.CpuArm64}, {intel, macho.CpuAmd64}} {
		program, err := os.ReadFile(want.name)
		if err != nil {
			t.Fatal(err)
		}
		arch := fat.Arches[i]
		if arch.Cpu != want.cpu || arch.Offset%(1<<align) != 0 {
			t.Errorf("slice %d is for %v at %d, want %v at a page", i, arch.Cpu, arch.Offset, want.cpu)
		}
		slice, err := io.ReadAll(io.NewSectionReader(bytes.NewReader(joined), int64(arch.Offset), int64(arch.Size)))
		if err != nil || !bytes.Equal(slice, program) {
			t.Errorf("slice %d is not the program: %v", i, err)
		}
	}

	if _, err := join([]string{arm, arm}); err == nil || !strings.Contains(err.Error(), "second program") {
		t.Errorf("the same processor twice gives %v", err)
	}
	if _, err := join([]string{"join.go"}); err == nil || !strings.Contains(err.Error(), "no program") {
		t.Errorf("a text file gives %v", err)
	}
}

func crossBuild(t *testing.T, dir, arch string) string {
	t.Helper()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, arch)
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=darwin", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build.Args, err, out)
	}
	return program
}
