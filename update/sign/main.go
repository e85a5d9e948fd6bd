// Sign writes the signed manifest of a release.
//
//	sign -new-key FILE                     makes a private key (0600) and prints the public one
//	sign -version 1.2.3 -out FILE PLATFORM=PROGRAM...
//
// PLATFORM is darwin/universal, darwin/arm64, linux/amd64 and the like; PROGRAM is put beside
// the manifest under its own name when it is published. The private key comes from the
// environment variable UPDATE_SIGNING_KEY or from the file -key, never from an argument.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"bluerelay/update"
)

const keyVariable = "UPDATE_SIGNING_KEY"

func main() {
	newKey := flag.String("new-key", "", "make a private key in `FILE`, which must not exist, and print the public one")
	keyFile := flag.String("key", "", "`FILE` with the private key (default: the variable "+keyVariable+")")
	version := flag.String("version", "", "version, such as 1.2.3")
	minimum := flag.String("minimum-macos", "12.0", "oldest macOS that the programs for darwin run on")
	published := flag.String("published", "", "time of publication, such as 2026-01-31T09:00:00Z (default: SOURCE_DATE_EPOCH, else now)")
	out := flag.String("out", "manifest.json", "`FILE` to write")
	flag.Parse()
	var err error
	if *newKey != "" {
		err = makeKey(*newKey)
	} else {
		err = release{*keyFile, *version, *minimum, *published, *out}.sign(flag.Args())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sign: %s\n", err)
		os.Exit(1)
	}
}

// makeKey writes a new private key, readable by its owner only.
func makeKey(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	key := update.NewPrivateKey()
	_, err = fmt.Fprintln(f, key.Seed())
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	fmt.Println(key.Public())
	return nil
}

// release is what the flags say of one.
type release struct{ keyFile, version, minimum, published, out string }

func (r release) sign(files []string) error {
	key, err := r.key()
	if err != nil {
		return err
	}
	m := update.Manifest{Version: strings.TrimPrefix(r.version, "v")}
	if m.Published, err = r.time(); err != nil {
		return err
	}
	for _, arg := range files {
		platform, path, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not PLATFORM=PROGRAM", arg)
		}
		f, err := update.Describe(path)
		if err != nil {
			return err
		}
		f.Platform = platform
		if strings.HasPrefix(platform, "darwin/") {
			f.MinimumMacOS = r.minimum
		}
		m.Files = append(m.Files, f)
	}
	data, err := update.Sign(m, key)
	if err != nil {
		return err
	}
	// As those who get it will read it.
	if _, err := update.Decode(data, key.Public()); err != nil {
		return fmt.Errorf("what was signed cannot be read again: %w", err)
	}
	temporary := r.out + ".new"
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Clean(r.out))
}

func (r release) key() (update.PrivateKey, error) {
	text := os.Getenv(keyVariable)
	if r.keyFile != "" {
		data, err := os.ReadFile(r.keyFile)
		if err != nil {
			return update.PrivateKey{}, err
		}
		text = string(data)
	}
	if text == "" {
		return update.PrivateKey{}, fmt.Errorf("there is no key: set %s, or name a file with -key; -new-key makes one", keyVariable)
	}
	return update.ParsePrivateKey(text)
}

func (r release) time() (time.Time, error) {
	if r.published != "" {
		return time.Parse(time.RFC3339, r.published)
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Now(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, which is no time in seconds", epoch)
	}
	return time.Unix(seconds, 0), nil
}
