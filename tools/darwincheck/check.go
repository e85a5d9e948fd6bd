package main

import (
	"debug/buildinfo"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// Load commands of <mach-o/loader.h> that debug/macho leaves undecoded.
const (
	loadCodeSignature = 0x1d
	loadBuildVersion  = 0x32
)

const platformMacOS = 1

// oldestMacOS is the version below which Go 1.26 programs do not start, and
// the one that the project promises to run on.
const oldestMacOS = 12

// sqliteSymbol is defined by SQLite's own C code, which only a build with cgo
// contains.
const sqliteSymbol = "_sqlite3_open_v2"

// processors are the architectures that programs are built for.
var processors = map[string]macho.Cpu{"arm64": macho.CpuArm64, "amd64": macho.CpuAmd64}

// libraries are those that our programs may link to: what the Go runtime asks for. Anything
// more has come in by a new dependency, and not every Mac has to have it.
var libraries = []string{
	"/usr/lib/libSystem.B.dylib",
	"/usr/lib/libresolv.9.dylib",
	"/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
	"/System/Library/Frameworks/Security.framework/Versions/A/Security",
}

// want is what a program must be.
type want struct {
	arch       string // arm64, amd64, or universal: both in one file
	identifier string // of its Info.plist; empty for a program without one
	version    string // of its Info.plist: 1.2.3; empty for any
	most       int64  // bytes of a universal file; 0 for any
}

// check reads the program called name and returns one line about it, or all its faults joined.
func check(name string, want want) (summary string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", err
	}
	if want.arch == "universal" {
		err = checkUniversal(file, info.Size(), want)
	} else {
		err = checkProgram(file, want)
	}
	if err != nil {
		return "", err
	}
	summary = fmt.Sprintf("%s, macOS %d.0 and newer, cgo, SQLite linked, %.1f MB", want.arch, oldestMacOS, float64(info.Size())/1e6)
	if want.identifier != "" {
		summary += ", Info.plist of " + want.identifier
	}
	return summary, nil
}

// checkUniversal wants one program for each processor, and each of them right.
func checkUniversal(file io.ReaderAt, size int64, want want) error {
	fat, err := macho.NewFatFile(file)
	if err != nil {
		return fmt.Errorf("not a universal program: %w", err)
	}
	defer fat.Close()
	parts := map[macho.Cpu]io.ReaderAt{}
	for _, arch := range fat.Arches {
		parts[arch.Cpu] = io.NewSectionReader(file, int64(arch.Offset), int64(arch.Size))
	}
	var faults []error
	if len(fat.Arches) != len(processors) {
		faults = append(faults, fmt.Errorf("holds %d programs, want %d", len(fat.Arches), len(processors)))
	}
	if want.most > 0 && size > want.most {
		faults = append(faults, fmt.Errorf("is %.1f MB large, want at most %.1f", float64(size)/1e6, float64(want.most)/1e6))
	}
	for arch, cpu := range processors {
		part, ok := parts[cpu]
		if !ok {
			faults = append(faults, fmt.Errorf("holds no program for %s", arch))
			continue
		}
		want.arch = arch
		if err := checkProgram(part, want); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", arch, err))
		}
	}
	return errors.Join(faults...)
}

// checkProgram checks a program for one processor.
func checkProgram(program io.ReaderAt, want want) error {
	cpu, ok := processors[want.arch]
	if !ok {
		return fmt.Errorf("unknown architecture %q, want arm64, amd64 or universal", want.arch)
	}
	file, err := macho.NewFile(program)
	if err != nil {
		return fmt.Errorf("not a Mach-O program: %w", err)
	}
	defer file.Close()
	return errors.Join(
		checkSettings(program, want.arch),
		checkKind(file, cpu),
		checkVersion(file),
		checkLibraries(file),
		checkSQLite(file),
		checkSignature(file),
		checkInfo(file, want),
	)
}

// checkSettings reads the settings that the go command recorded, the ones that
// go version -m prints.
func checkSettings(program io.ReaderAt, arch string) error {
	info, err := buildinfo.Read(program)
	if err != nil {
		return fmt.Errorf("read build settings: %w", err)
	}
	got := map[string]string{}
	for _, s := range info.Settings {
		got[s.Key] = s.Value
	}
	var faults []error
	for _, want := range [][2]string{
		{"CGO_ENABLED", "1"}, {"GOOS", "darwin"}, {"GOARCH", arch}, {"-trimpath", "true"},
	} {
		if got[want[0]] != want[1] {
			faults = append(faults, fmt.Errorf("built with %s=%q, want %q", want[0], got[want[0]], want[1]))
		}
	}
	return errors.Join(faults...)
}

func checkKind(file *macho.File, cpu macho.Cpu) error {
	if file.Cpu != cpu {
		return fmt.Errorf("processor is %v, want %v", file.Cpu, cpu)
	}
	if file.Type != macho.TypeExec {
		return fmt.Errorf("file type is %v, want a program", file.Type)
	}
	if file.Flags&macho.FlagPIE == 0 {
		return errors.New("program is not position-independent")
	}
	return nil
}

// checkVersion wants the oldest macOS that will start the program to be ours.
func checkVersion(file *macho.File) error {
	command, ok := loadCommand(file, loadBuildVersion)
	if !ok || len(command) < 16 {
		return errors.New("no minimum macOS version is recorded")
	}
	platform := file.ByteOrder.Uint32(command[8:])
	if platform != platformMacOS {
		return fmt.Errorf("platform is number %d, want macOS (%d)", platform, platformMacOS)
	}
	if oldest := file.ByteOrder.Uint32(command[12:]); oldest != oldestMacOS<<16 {
		return fmt.Errorf("needs macOS %d.%d or newer, want %d.0", oldest>>16, oldest>>8&0xff, oldestMacOS)
	}
	return nil
}

// checkLibraries refuses a library that is not expected: the program must run when it is
// copied to a Mac alone.
func checkLibraries(file *macho.File) error {
	linked, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("read libraries: %w", err)
	}
	for _, name := range linked {
		if !slices.Contains(libraries, name) {
			return fmt.Errorf("links to %s, which is not expected", name)
		}
	}
	return nil
}

func checkSQLite(file *macho.File) error {
	if file.Symtab != nil {
		for _, symbol := range file.Symtab.Syms {
			if symbol.Name == sqliteSymbol && symbol.Sect != 0 {
				return nil
			}
		}
	}
	return errors.New("SQLite is not in it: go-sqlite3 was compiled without cgo, or nothing imports it")
}

// checkSignature holds for arm64 alone: its kernel refuses an unsigned program,
// and the linker's own signature is enough to start it.
func checkSignature(file *macho.File) error {
	if _, ok := loadCommand(file, loadCodeSignature); !ok && file.Cpu == macho.CpuArm64 {
		return errors.New("no code signature, an arm64 Mac will refuse to start it")
	}
	return nil
}

// loadCommand returns the raw bytes of the first load command of that kind.
func loadCommand(file *macho.File, kind uint32) ([]byte, bool) {
	for _, load := range file.Loads {
		raw := load.Raw()
		if len(raw) >= 8 && file.ByteOrder.Uint32(raw) == kind {
			return raw, true
		}
	}
	return nil, false
}
