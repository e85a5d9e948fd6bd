package main

import (
	"debug/buildinfo"
	"debug/macho"
	"errors"
	"fmt"
	"os"
	"strings"
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

// check reads the program called name, which must have been built for arch, and
// returns one line about it, or all its faults joined.
func check(name, arch string) (summary string, err error) {
	cpu, ok := map[string]macho.Cpu{"arm64": macho.CpuArm64, "amd64": macho.CpuAmd64}[arch]
	if !ok {
		return "", fmt.Errorf("unknown architecture %q, want arm64 or amd64", arch)
	}
	file, err := macho.Open(name)
	if err != nil {
		return "", fmt.Errorf("not a Mach-O program: %w", err)
	}
	defer file.Close()

	oldest, versionErr := checkVersion(file)
	err = errors.Join(
		checkSettings(name, arch),
		checkKind(file, cpu),
		versionErr,
		checkLibraries(file),
		checkSQLite(file),
		checkSignature(file),
	)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Mach-O %s, macOS %s and newer, cgo, SQLite linked, %.1f MB",
		arch, oldest, float64(info.Size())/1e6), nil
}

// checkSettings reads the settings that the go command recorded, the ones that
// go version -m prints.
func checkSettings(name, arch string) error {
	info, err := buildinfo.ReadFile(name)
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

// checkVersion returns the oldest macOS that will start the program.
func checkVersion(file *macho.File) (string, error) {
	command, ok := loadCommand(file, loadBuildVersion)
	if !ok || len(command) < 16 {
		return "", errors.New("no minimum macOS version is recorded")
	}
	platform := file.ByteOrder.Uint32(command[8:])
	oldest := file.ByteOrder.Uint32(command[12:])
	version := fmt.Sprintf("%d.%d", oldest>>16, oldest>>8&0xff)
	if platform != platformMacOS {
		return "", fmt.Errorf("platform is number %d, want macOS (%d)", platform, platformMacOS)
	}
	if oldest != oldestMacOS<<16 {
		return "", fmt.Errorf("needs macOS %s or newer, want %d.0", version, oldestMacOS)
	}
	return version, nil
}

// checkLibraries refuses a library that a Mac does not have by itself: the
// program must run when it is copied there alone.
func checkLibraries(file *macho.File) error {
	libraries, err := file.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("read libraries: %w", err)
	}
	for _, name := range libraries {
		if !strings.HasPrefix(name, "/usr/lib/") && !strings.HasPrefix(name, "/System/Library/") {
			return fmt.Errorf("links to %s, which is no part of macOS", name)
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
