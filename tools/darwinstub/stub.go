package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// libSystem needs no stub: zig brings its own.
const libSystem = "/usr/lib/libSystem.B.dylib"

// targets names the architectures and the platform a stub claims to serve, in
// the form of the text-based library format, version 4.
const targets = "[ x86_64-macos, arm64-macos, arm64e-macos ]"

// library is one dynamic library of macOS and the symbols Go asks it for.
type library struct {
	installName string
	symbols     map[string]bool
}

// stubPath is where the linker looks for the library below the folder that
// holds all stubs: usr/lib for -l, Frameworks for -framework.
func (l library) stubPath() string {
	name := path.Base(l.installName)
	if strings.Contains(l.installName, ".framework/") {
		return path.Join("Frameworks", name+".framework", name+".tbd")
	}
	// libresolv.9.dylib is linked by -lresolv, so the stub drops the version.
	short, _, _ := strings.Cut(name, ".")
	return path.Join("usr/lib", short+".tbd")
}

// text is the stub itself. The order is fixed, so that equal Go trees give
// equal stubs.
func (l library) text() string {
	symbols := slices.Sorted(maps.Keys(l.symbols))
	for i, s := range symbols {
		symbols[i] = "_" + s
	}
	return fmt.Sprintf(`--- !tapi-tbd
tbd-version:     4
targets:         %[1]s
install-name:    '%[2]s'
exports:
  - targets:         %[1]s
    symbols:         [ %[3]s ]
...
`, targets, l.installName, strings.Join(symbols, ", "))
}

// collect reads every Go file below root and returns the macOS libraries that
// they import symbols from, in the order of their names.
func collect(root string) ([]library, error) {
	found := map[string]library{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "testdata" {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".go" {
			return nil
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		scan(string(source), found)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read Go sources: %w", err)
	}
	return slices.SortedFunc(maps.Values(found), func(a, b library) int {
		return cmp.Compare(a.installName, b.installName)
	}), nil
}

// scan adds the imports of one Go file to found. A line reads
//
//	//go:cgo_import_dynamic local remote "library"
//
// and those of other systems (libc.so, kernel32.dll) have no macOS path.
func scan(source string, found map[string]library) {
	for line := range strings.Lines(source) {
		rest, ok := strings.CutPrefix(line, "//go:cgo_import_dynamic ")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) != 3 {
			continue
		}
		symbol, name := fields[1], strings.Trim(fields[2], `"`)
		if name == libSystem || !isApple(name) {
			continue
		}
		if _, ok := found[name]; !ok {
			found[name] = library{installName: name, symbols: map[string]bool{}}
		}
		found[name].symbols[symbol] = true
	}
}

func isApple(name string) bool {
	return strings.HasPrefix(name, "/System/Library/Frameworks/") ||
		strings.HasPrefix(name, "/usr/lib/") && strings.HasSuffix(name, ".dylib")
}
