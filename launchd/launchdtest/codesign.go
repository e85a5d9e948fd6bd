package launchdtest

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// signature is what codesign leaves in a bundle.
type signature struct {
	Requirement string
	Sealed      string // of Info.plist and the programs
	Options     []string
}

func sealOf(bundle string) string {
	h := sha1.New()
	programs, _ := filepath.Glob(filepath.Join(bundle, "Contents/MacOS/*"))
	for _, name := range append([]string{filepath.Join(bundle, "Contents/Info.plist")}, programs...) {
		data, err := os.ReadFile(name)
		fmt.Fprintln(h, filepath.Base(name), err == nil, len(data))
		h.Write(data)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func signaturePath(bundle string) string {
	return filepath.Join(bundle, "Contents/_CodeSignature/CodeResources")
}

func readSignature(bundle string) (signature, bool) {
	var s signature
	data, err := os.ReadFile(signaturePath(bundle))
	return s, err == nil && json.Unmarshal(data, &s) == nil
}

// requirementOf is that of the bundle around a program, "" without one.
func requirementOf(program string) string {
	bundle := filepath.Dir(filepath.Dir(filepath.Dir(program)))
	s, ok := readSignature(bundle)
	if !ok || s.Sealed != sealOf(bundle) {
		return ""
	}
	return s.Requirement
}

func say(code int, format string, args ...any) int {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	return code
}

func codesign(w *world, args []string) int {
	fail, failing := w.begin("codesign", args)
	if failing && !fail.Anyway {
		return say(fail.Code, "%s", fail.Text)
	}
	code := codesignVerb(w, args)
	if failing {
		return say(fail.Code, "%s", fail.Text)
	}
	return code
}

func codesignVerb(w *world, args []string) int {
	path := args[len(args)-1]
	switch {
	case slices.Contains(args, "--verify"):
		if s, ok := readSignature(path); !ok {
			return say(1, "%s: code object is not signed at all", path)
		} else if s.Sealed != sealOf(path) {
			return say(1, "%s: invalid signature (code or signature have been modified)", path)
		}
		return 0
	case args[0] == "-d":
		s, ok := readSignature(path)
		if !ok {
			return say(1, "%s: code object is not signed at all", path)
		}
		fmt.Fprintf(os.Stderr, "Executable=%s\n", path)
		fmt.Println(s.Requirement)
		return 0
	case slices.Contains(args, "--sign"):
		return sign(w, path, args)
	}
	return say(2, "Usage: codesign …")
}

func sign(w *world, path string, args []string) int {
	flag := func(name string) string {
		if at := slices.Index(args, name); at >= 0 {
			return args[at+1]
		}
		return ""
	}
	identity, id := flag("--sign"), flag("--identifier")
	s := signature{Sealed: sealOf(path), Options: args}
	if identity == "-" {
		s.Requirement = fmt.Sprintf("# designated => cdhash H\"%s\"", s.Sealed)
		return writeSignature(path, s)
	}
	hash, locked := "", false
	w.must(func(state *State) {
		hash = state.Named[identity]
		for _, chain := range state.Keychains {
			k, ok := readKeychain(chain)
			if ok && k.hash() == identity && k.Key != "" && strings.Contains(k.Partition, "apple:") {
				hash, locked = identity, !state.Unlocked[chain]
			}
		}
	})
	if hash == "" {
		return say(1, "error: The specified item could not be found in the keychain.")
	}
	if locked {
		return say(1, "%s: errSecInternalComponent", path)
	}
	s.Requirement = fmt.Sprintf("designated => identifier %q and certificate leaf = H%q", id, strings.ToLower(hash))
	return writeSignature(path, s)
}

func writeSignature(bundle string, s signature) int {
	data, err := json.Marshal(s)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(signaturePath(bundle)), 0o755)
	}
	if err == nil {
		err = os.WriteFile(signaturePath(bundle), data, 0o644)
	}
	if err != nil {
		return say(1, "%v", err)
	}
	return 0
}
