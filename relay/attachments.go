package relay

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// attachments is Messages' folder of files. Rows of chat.db name files in it, and a
// row may say anything: what is not a plain file below the folder is refused.
type attachments struct {
	root   string
	chatDB string // whose owner's home ~ is
}

// errForbidden says that a row names something other than a file of the folder.
var errForbidden = errors.New("the file is not one of Messages' attachments")

// Spellings of the folder in chat.db, whoever its owner is.
const attachmentsPrefix = "~/Library/Messages/Attachments/"

// open opens a file as a row names it. The error is fs.ErrNotExist where there is
// none, errForbidden where there must be none.
func (a attachments) open(name string) (*os.File, fs.FileInfo, error) {
	rel, err := a.relative(name)
	if err != nil {
		return nil, nil, err
	}
	root, err := os.OpenRoot(a.root)
	if err != nil {
		return nil, nil, fmt.Errorf("open the attachments: %w", bare(err))
	}
	defer root.Close()
	info, err := plain(root, rel)
	if err != nil {
		return nil, nil, err
	}
	// Not to wait for a writer, should it have become a pipe meanwhile.
	f, err := root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open an attachment: %w", bare(err))
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(info, opened) {
		err = errForbidden
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, opened, nil
}

// bare leaves out the path: another person chose the name of the file.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// path is where open finds a file, for programs that take a path.
func (a attachments) path(name string) (string, error) {
	rel, err := a.relative(name)
	return filepath.Join(a.root, rel), err
}

// plain makes sure that neither the file nor a folder on the way to it is a
// symbolic link: Messages makes none.
func plain(root *os.Root, rel string) (info fs.FileInfo, err error) {
	for i := range len(rel) + 1 {
		if i < len(rel) && rel[i] != filepath.Separator {
			continue
		}
		if info, err = root.Lstat(rel[:i]); err != nil {
			return nil, fmt.Errorf("look at an attachment: %w", bare(err))
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, errForbidden
		}
	}
	if !info.Mode().IsRegular() {
		return nil, errForbidden
	}
	return info, nil
}

// relative is the path of a file below the folder.
func (a attachments) relative(name string) (string, error) {
	if below, ok := strings.CutPrefix(name, attachmentsPrefix); ok {
		return local(below)
	}
	if below, ok := strings.CutPrefix(name, "~/"); ok {
		home, err := a.home()
		if err != nil {
			return "", err
		}
		name = filepath.Join(home, below)
	}
	if !filepath.IsAbs(name) {
		return "", errForbidden
	}
	for _, root := range []string{a.root, resolved(a.root)} {
		if rel, err := filepath.Rel(root, name); err == nil && filepath.IsLocal(rel) {
			return local(rel)
		}
	}
	return "", errForbidden
}

func local(rel string) (string, error) {
	rel = filepath.FromSlash(rel)
	if !filepath.IsLocal(rel) || strings.ContainsRune(rel, 0) {
		return "", errForbidden
	}
	return filepath.Clean(rel), nil
}

// resolved is a path with symbolic links followed: /var is one on a Mac.
func resolved(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// home is that of the owner of chat.db, who need not be who runs the daemon.
func (a attachments) home() (string, error) {
	info, err := os.Stat(a.chatDB)
	if err != nil {
		return "", fmt.Errorf("find the owner of chat.db: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errForbidden
	}
	owner, err := user.LookupId(strconv.FormatUint(uint64(st.Uid), 10))
	if err != nil {
		return "", fmt.Errorf("find the owner of chat.db: %w", err)
	}
	return owner.HomeDir, nil
}
