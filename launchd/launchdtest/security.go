package launchdtest

import (
	"bufio"
	"crypto/sha1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// keychain is a file of one.
type keychain struct {
	Password    string
	Key         string // PEM
	Certificate string // PEM
	Hidden      bool   // the key cannot be taken out again
	Partition   string
}

func (k keychain) hash() string {
	block, _ := pem.Decode([]byte(k.Certificate))
	if block == nil {
		return ""
	}
	return fmt.Sprintf("%X", sha1.Sum(block.Bytes))
}

func readKeychain(path string) (keychain, bool) {
	var k keychain
	data, err := os.ReadFile(path)
	return k, err == nil && json.Unmarshal(data, &k) == nil
}

func (k keychain) write(path string) int {
	data, err := json.Marshal(k)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		return say(1, "security: %v", err)
	}
	return 0
}

func security(w *world, args []string) int {
	fail, failing := w.begin("security", args)
	if failing && !fail.Anyway {
		return say(fail.Code, "%s", fail.Text)
	}
	code := 0
	if args[0] == "-i" {
		lines := bufio.NewReader(os.Stdin)
		for {
			line, err := lines.ReadString('\n')
			if words := split(line); len(words) > 0 {
				code = securityVerb(w, words)
			}
			if err == io.EOF {
				break
			}
		}
	} else {
		code = securityVerb(w, args)
	}
	if failing {
		return say(fail.Code, "%s", fail.Text)
	}
	return code
}

// split makes words of a line as the interactive security does: quotes and backslashes.
func split(line string) []string {
	var words []string
	var word strings.Builder
	quoted, some := false, false
	line = strings.TrimSuffix(line, "\n")
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
		case c == '"':
			quoted, some = !quoted, true
		case c == ' ' && !quoted:
			if word.Len() > 0 || some {
				words = append(words, word.String())
			}
			word.Reset()
			some = false
		default:
			word.WriteByte(c)
		}
	}
	if word.Len() > 0 || some {
		words = append(words, word.String())
	}
	return words
}

func securityVerb(w *world, args []string) int {
	path := args[len(args)-1]
	flag := func(name string) string {
		if at := slices.Index(args, name); at >= 0 {
			return args[min(at+1, len(args)-1)] // -w of find has no value
		}
		return ""
	}
	unlocked := func() (ok bool) {
		w.must(func(s *State) { ok = s.Unlocked[path] || s.Unlocked[flag("-k")] })
		return ok
	}
	k, there := readKeychain(path)
	switch args[0] {
	case "create-keychain":
		if there {
			return say(48, "security: SecKeychainCreate %s: A keychain with the same name already exists.", path)
		}
		return keychain{Password: flag("-p")}.write(path)
	case "unlock-keychain":
		if !there || k.Password != flag("-p") {
			return say(51, "security: SecKeychainUnlock %s: The user name or passphrase you entered is not correct.", path)
		}
		w.must(func(s *State) { s.Unlocked[path] = true })
		return 0
	case "set-keychain-settings":
		return 0
	case "import":
		return importPEM(args[1], flag("-k"), slices.Contains(args, "-x"), unlocked())
	case "set-key-partition-list":
		if !there || k.Password != flag("-k") {
			return say(51, "security: SecKeychainUnlock: The user name or passphrase you entered is not correct.")
		}
		k.Partition = flag("-S")
		return k.write(path)
	case "find-identity":
		if w.locked(path) {
			fmt.Println("     0 identities found")
			return 0
		}
		if there && k.Key != "" && k.hash() != "" {
			fmt.Printf("  1) %s \"bluerelay code signing\" (CSSMERR_TP_NOT_TRUSTED)\n     1 identities found\n", k.hash())
			return 0
		}
		fmt.Println("     0 identities found")
		return 0
	case "list-keychains":
		w.must(func(s *State) {
			if at := slices.Index(args, "-s"); at >= 0 {
				s.Keychains = args[at+1:]
				return
			}
			for _, path := range s.Keychains {
				fmt.Printf("    %q\n", path)
			}
		})
		return 0
	case "add-generic-password", "find-generic-password", "delete-generic-password":
		return password(w, args[0], flag("-s")+" "+flag("-a"), flag("-w"))
	case "delete-keychain":
		if err := os.Remove(path); err != nil {
			return say(50, "security: SecKeychainDelete %s: The specified keychain could not be found.", path)
		}
		return 0
	}
	return say(2, "security: unknown command %q", args[0])
}

// password is what the login keychain does with one item; find prints it.
func password(w *world, verb, item, secret string) int {
	there := true
	w.must(func(s *State) {
		if verb == "add-generic-password" {
			s.Passwords[item] = secret
			return
		}
		if secret, there = s.Passwords[item]; verb == "delete-generic-password" {
			delete(s.Passwords, item)
		}
	})
	if !there {
		return say(44, "security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain.")
	}
	if verb == "find-generic-password" {
		fmt.Println(secret)
	}
	return 0
}

// locked tells whether a keychain shows nothing before it is unlocked.
func (w *world) locked(path string) (is bool) {
	w.must(func(s *State) { is = s.Locked && !s.Unlocked[path] })
	return is
}

func importPEM(file, chain string, hidden, unlocked bool) int {
	k, there := readKeychain(chain)
	data, err := os.ReadFile(file)
	block, _ := pem.Decode(data)
	if !there || !unlocked || err != nil || block == nil {
		return say(1, "security: SecKeychainItemImport: One or more parameters passed to a function were not valid.")
	}
	if block.Type == "CERTIFICATE" {
		k.Certificate = string(data)
	} else {
		k.Key, k.Hidden = string(data), hidden
	}
	return k.write(chain)
}
