package power_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The system calls that are recorded: all that can change a file or a folder, or make
// something leave a process.
var recorded = []string{
	"open", "openat", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "fsync", "fdatasync", "ftruncate", "truncate",
	"fallocate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink",
	"symlinkat", "mmap", "sendto", "sendmsg", "sendfile", "copy_file_range", "splice", "execve", "sync", "syncfs", "sync_file_range",
}

// verb is what a call does.
type verb int

const (
	makes   verb = iota // a file, unless it is there
	empties             // cuts the file to size
	writes
	syncs
	moves
	removes
	makesDir
	says // to a socket
	runs // a program
)

// call is one system call that has succeeded. begun and ended are its lines in the
// record: what had ended before another began had happened before.
type call struct {
	begun, ended int
	verb         verb
	path, to     string // to is the new name of moves; of says, path is the socket
	data         []byte
	offset       int64 // of writes; -1 for the end of the file
	size         int64 // of empties
	argv         []string
}

// readTrace reads what strace wrote, in the order in which the calls ended.
func readTrace(path string) ([]call, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var calls []call
	open := make(map[string]struct {
		text string
		line int
	}) // by process: a call that has not returned
	lines := bufio.NewReaderSize(f, 1<<20)
	for n := 0; ; n++ {
		line, err := lines.ReadString('\n')
		if line == "" && err != nil {
			return calls, nil
		}
		pid, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		text = strings.TrimLeft(text, " ")
		begun := n
		if head, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
			open[pid] = struct {
				text string
				line int
			}{head, n}
			continue
		}
		if rest, ok := strings.CutPrefix(text, "<... "); ok {
			_, rest, _ = strings.Cut(rest, " resumed>")
			text, begun = open[pid].text+rest, open[pid].line
		}
		one, ok, err := parseCall(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		if ok {
			one.begun, one.ended = begun, n
			calls = append(calls, one)
		}
	}
}

// parseCall understands one line; false for a call that failed or does not matter.
func parseCall(text string) (call, bool, error) {
	name, rest, ok := strings.Cut(text, "(")
	end := strings.LastIndex(rest, ") ")
	if !ok || end < 0 {
		return call{}, false, nil // a signal, or the end of a process
	}
	result := strings.TrimSpace(strings.TrimLeft(rest[end+1:], " "))
	result, ok = strings.CutPrefix(result, "= ")
	if !ok || strings.HasPrefix(result, "-1") || strings.HasPrefix(result, "?") {
		return call{}, false, nil
	}
	args := strings.Split(rest[:end], ", ")
	switch name {
	case "open", "openat", "creat":
		return parseOpen(name, args, result)
	case "write", "pwrite64":
		return parseWrite(name, args, result)
	case "fsync", "fdatasync":
		return call{verb: syncs, path: described(args[0])}, known(args[0]), nil
	case "ftruncate":
		size, err := strconv.ParseInt(args[1], 0, 64)
		return call{verb: empties, path: described(args[0]), size: size}, known(args[0]), err
	case "rename":
		return call{verb: moves, path: absolute(args[0]), to: absolute(args[1])}, true, nil
	case "renameat", "renameat2":
		return call{verb: moves, path: at(args[0], args[1]), to: at(args[2], args[3])}, true, nil
	case "unlink", "rmdir":
		return call{verb: removes, path: absolute(args[0])}, true, nil
	case "unlinkat":
		return call{verb: removes, path: at(args[0], args[1])}, true, nil
	case "mkdir":
		return call{verb: makesDir, path: absolute(args[0])}, true, nil
	case "mkdirat":
		return call{verb: makesDir, path: at(args[0], args[1])}, true, nil
	case "execve":
		return parseExec(args), true, nil
	case "mmap":
		if strings.Contains(args[3], "MAP_SHARED") && strings.Contains(args[2], "PROT_WRITE") {
			return call{verb: writes, path: described(args[4]), offset: mapped}, known(args[4]), nil
		}
		return call{}, false, nil
	}
	return call{verb: writes, path: strings.Join(args, " "), offset: strange}, true, nil
}

// Offsets of writes that cannot be recorded: into a shared mapping, or by a call that
// the programs are not expected to use.
const (
	atEnd   = -1
	mapped  = -2
	strange = -3
)

func parseOpen(name string, args []string, result string) (call, bool, error) {
	flags := args[len(args)-1]
	if name == "openat" {
		flags = args[2]
	}
	path := described(result)
	if name != "creat" && !strings.Contains(flags, "O_CREAT") && !strings.Contains(flags, "O_TRUNC") {
		return call{}, false, nil
	}
	if name == "creat" || strings.Contains(flags, "O_TRUNC") {
		return call{verb: empties, path: path}, true, nil
	}
	return call{verb: makes, path: path}, true, nil
}

func parseWrite(name string, args []string, result string) (call, bool, error) {
	n, err := strconv.Atoi(strings.Fields(result)[0])
	if err != nil {
		return call{}, false, err
	}
	data, err := unhex(args[1])
	if err != nil {
		return call{}, false, err
	}
	if n > len(data) {
		return call{}, false, fmt.Errorf("%d bytes were written and %d recorded", n, len(data))
	}
	one := call{verb: writes, path: described(args[0]), data: data[:n], offset: atEnd}
	if strings.HasPrefix(one.path, "socket:") {
		one.verb = says
	}
	if name == "pwrite64" {
		one.offset, err = strconv.ParseInt(args[3], 0, 64)
	}
	return one, known(args[0]), err
}

func parseExec(args []string) call {
	one := call{verb: runs, path: quoted(args[0])}
	list := strings.Trim(strings.Join(args[1:len(args)-1], ", "), "[]")
	for a := range strings.SplitSeq(list, ", ") {
		one.argv = append(one.argv, quoted(a))
	}
	return one
}

// described is the path that strace adds to a descriptor: 3</path>.
func described(fd string) string {
	_, rest, _ := strings.Cut(fd, "<")
	path, _, _ := strings.Cut(rest, ">")
	data, err := unhex(path)
	if err != nil {
		return path
	}
	return string(data)
}

// known tells whether a descriptor's file still has its name.
func known(fd string) bool { return strings.Contains(fd, "<") && !strings.HasSuffix(fd, "(deleted)") }

func quoted(s string) string {
	data, err := unhex(s)
	if err != nil {
		return s
	}
	return string(data)
}

// absolute is a path argument; the programs are given absolute ones only.
func absolute(arg string) string { return quoted(arg) }

// at resolves a path against the descriptor of a folder.
func at(dir, arg string) string {
	path := quoted(arg)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(described(dir), path)
}

// unhex reads "\x41\x42", with or without the quotes.
func unhex(s string) ([]byte, error) {
	s = strings.Trim(s, `"`)
	return hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
}
