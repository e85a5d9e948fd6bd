// Command darwinstub writes the stub libraries that let a linker on Linux link
// a Go program for macOS.
//
//	darwinstub GOROOT DIR
//
// Go's own packages name the macOS symbols they use in lines that begin with
// //go:cgo_import_dynamic. On a Mac the linker finds these symbols in Apple's
// SDK, which may not be copied to other machines. What the linker truly needs
// is the name of each library and of its symbols, and that much stands in the
// Go tree itself: darwinstub reads it there and writes text-based stubs (.tbd,
// version 4) below DIR, libraries in usr/lib and frameworks in Frameworks, to
// be passed as -LDIR/usr/lib -FDIR/Frameworks. Nothing of Apple's is copied,
// and a new Go release brings its new symbols along.
//
// It does not stub libSystem, which zig brings, nor anything that C code of a
// package might want beyond that.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: darwinstub GOROOT DIR")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "darwinstub:", err)
		os.Exit(1)
	}
}

// write puts one stub for each library that the Go tree at goroot uses into dir.
func write(goroot, dir string) error {
	libraries, err := collect(filepath.Join(goroot, "src"))
	if err != nil {
		return err
	}
	if len(libraries) == 0 {
		return errors.New("find imports: no macOS library is named in " + goroot)
	}
	for _, l := range libraries {
		name := filepath.Join(dir, filepath.FromSlash(l.stubPath()))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fmt.Errorf("write stub: %w", err)
		}
		if err := os.WriteFile(name, []byte(l.text()), 0o644); err != nil {
			return fmt.Errorf("write stub: %w", err)
		}
	}
	return nil
}
