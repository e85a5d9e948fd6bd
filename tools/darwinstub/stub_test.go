package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestScanTakesOnlyAppleLibraries(t *testing.T) {
	source := `package macos

//go:cgo_import_dynamic x509_CFRelease CFRelease "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation"
//go:cgo_import_dynamic x509_CFArrayGetCount CFArrayGetCount "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation"
//go:cgo_import_dynamic libresolv_res_9_nsearch res_9_nsearch "/usr/lib/libresolv.9.dylib"
//go:cgo_import_dynamic libc_read read "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_bind bind "libc.so"
//go:cgo_import_dynamic _ _ "/usr/lib/libodd.dylib" extra
// //go:cgo_import_dynamic in a comment "/usr/lib/libnever.dylib"
`
	found := map[string]library{}
	scan(source, found)
	if len(found) != 2 {
		t.Fatalf("found %d libraries, want CoreFoundation and libresolv: %v", len(found), found)
	}

	foundation := found["/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation"]
	if got, want := foundation.stubPath(), "Frameworks/CoreFoundation.framework/CoreFoundation.tbd"; got != want {
		t.Errorf("framework stub at %s, want %s", got, want)
	}
	if got, want := found["/usr/lib/libresolv.9.dylib"].stubPath(), "usr/lib/libresolv.tbd"; got != want {
		t.Errorf("library stub at %s, want %s", got, want)
	}
	want := `--- !tapi-tbd
tbd-version:     4
targets:         [ x86_64-macos, arm64-macos, arm64e-macos ]
install-name:    '/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation'
exports:
  - targets:         [ x86_64-macos, arm64-macos, arm64e-macos ]
    symbols:         [ _CFArrayGetCount, _CFRelease ]
...
`
	if got := foundation.text(); got != want {
		t.Errorf("stub:\n%s\nwant:\n%s", got, want)
	}
}

func TestWriteServesTheGoTreeInUse(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := write(strings.TrimSpace(string(out)), dir); err != nil {
		t.Fatal(err)
	}
	for name, symbol := range map[string]string{
		"usr/lib/libresolv.tbd":                                  "_res_9_nsearch",
		"Frameworks/CoreFoundation.framework/CoreFoundation.tbd": "_CFRelease",
		"Frameworks/Security.framework/Security.tbd":             "_SecTrustEvaluateWithError",
	} {
		stub, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(string(stub), symbol) {
			t.Errorf("%s does not export %s:\n%s", name, symbol, stub)
		}
	}
}

func TestWriteRefusesATreeWithoutImports(t *testing.T) {
	goroot := t.TempDir()
	if err := os.Mkdir(filepath.Join(goroot, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := write(goroot, t.TempDir()); err == nil {
		t.Error("an empty tree was accepted, so the link would fail later and less clearly")
	}
}
