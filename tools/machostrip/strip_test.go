package main

import (
	"bytes"
	"debug/macho"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// zeroFill is the type of a section of zeros.
const zeroFill = 1

// TestStrip strips what Go's own linker made, whose files have the parts in the same order.
func TestStrip(t *testing.T) {
	for _, arch := range []string{"arm64", "amd64"} {
		t.Run(arch, func(t *testing.T) {
			program := crossBuild(t, arch)
			stripped, err := strip(program)
			if err != nil {
				t.Fatal(err)
			}
			before, after := open(t, program), open(t, stripped)
			if len(stripped) >= len(program) || after.Dysymtab.Nlocalsym != 0 || before.Dysymtab.Nlocalsym == 0 {
				t.Errorf("%d bytes with %d local symbols became %d with %d",
					len(program), before.Dysymtab.Nlocalsym, len(stripped), after.Dysymtab.Nlocalsym)
			}
			if was, is := globals(before), globals(after); !slices.Equal(was, is) {
				t.Errorf("other symbols were %v and are %v", was, is)
			}
			if was, is := looked(before), looked(after); !slices.Equal(was, is) {
				t.Errorf("stubs looked up %q and look up %q", was, is)
			}
			for i, section := range before.Sections {
				if section.Flags&0xff == zeroFill {
					continue // has nothing in the file
				}
				was, err1 := section.Data()
				is, err2 := after.Sections[i].Data()
				if err1 != nil || err2 != nil || !bytes.Equal(was, is) {
					t.Errorf("section %s is another: %v %v", section.Name, err1, err2)
				}
			}
			again, err := strip(stripped)
			if err != nil || !bytes.Equal(again, stripped) {
				t.Errorf("stripping twice is not stripping once: %v", err)
			}
		})
	}
}

// TestSign makes the linker's own signature again: sign knows what the linker knows.
func TestSign(t *testing.T) {
	program := crossBuild(t, "arm64")
	found, err := findTail(program)
	if err != nil {
		t.Fatal(err)
	}
	begin := at(found.signature, dataOffset)
	code, signed := program[:begin], program[begin:]
	if size, err := signatureSize(signed, begin); err != nil || size > len(signed) {
		t.Fatalf("the signature has %d bytes, %v, want at most %d", size, err, len(signed))
	}
	// Go's linker leaves some zeros behind it.
	if got := sign(code, signed); !bytes.Equal(got, bytes.TrimRight(program, "\x00")) && !bytes.HasPrefix(program, got) {
		t.Error("the signature of an unchanged program is another")
	}
	stripped, err := strip(program)
	if err != nil {
		t.Fatal(err)
	}
	if found, err = findTail(stripped); err != nil {
		t.Fatal(err)
	}
	begin = at(found.signature, dataOffset)
	if !bytes.Equal(sign(stripped[:begin], stripped[begin:]), stripped) {
		t.Error("the signature is not that of the stripped program")
	}
}

func TestStripRefuses(t *testing.T) {
	program := crossBuild(t, "arm64")
	found, err := findTail(program)
	if err != nil {
		t.Fatal(err)
	}
	signature := at(found.signature, dataOffset)
	for name, test := range map[string]struct {
		program []byte
		want    string
	}{
		"a text":           {[]byte("#!/bin/sh\n"), "not a program"},
		"a longer file":    {append(bytes.Clone(program), 0), "another order"},
		"a real signature": {changed(program, signature+11, 2), "more than its linker"},
		"another hash":     {changed(program, signature+superHeader+directoryHash+1, 1), "SHA-256"},
	} {
		if _, err := strip(test.program); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func changed(program []byte, offset int, value byte) []byte {
	program = bytes.Clone(program)
	program[offset] = value
	return program
}

func open(t *testing.T, program []byte) *macho.File {
	t.Helper()
	file, err := macho.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// globals are the symbols that are not local, with their values.
func globals(file *macho.File) []macho.Symbol {
	return file.Symtab.Syms[file.Dysymtab.Nlocalsym:]
}

// looked are the names that the stubs find by the indirect table.
func looked(file *macho.File) (names []string) {
	for _, index := range file.Dysymtab.IndirectSyms {
		if index&(indirectLocal|indirectAbsolute) == 0 && index >= file.Dysymtab.Nlocalsym {
			names = append(names, file.Symtab.Syms[index].Name)
		}
	}
	return names
}

func crossBuild(t *testing.T, arch string) []byte {
	t.Helper()
	dir := t.TempDir()
	source, name := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", name, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-ldflags=-w", "GOOS=darwin", "GOARCH="+arch)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build.Args, err, out)
	}
	program, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return program
}
