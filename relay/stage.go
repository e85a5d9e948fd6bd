package relay

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"bluerelay/fault"
)

// stage is where files lie that are to be sent: a folder of ours among Messages'
// attachments. Messages is sandboxed and reads no other place for sure; and what lies
// there already it does not copy, so that a file has to stay when it is sent.
type stage struct {
	root string // Messages' folder of attachments
}

// stageDir is our folder; each file has one of its own in it, so that it can have the
// name that people see.
const stageDir = "bluerelay"

// maxName is the length of a file's name in bytes: what file systems allow, less room
// for what Messages may put behind it.
const maxName = 200

// safeName makes a name of a file out of what somebody called it: no path, nothing
// that a screen does not show, not hidden, and not too long, with its ending.
func safeName(name string) string {
	name = norm.NFC.String(strings.ToValidUTF8(name, ""))
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		switch {
		case r == ':': // the Finder's slash
			return '-'
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029', r == '\ufeff':
			return -1
		}
		return r
	}, name)
	name = strings.TrimRight(strings.TrimLeft(name, ". \t"), ". ")
	ext := path.Ext(name)
	if len(ext) > 32 {
		ext = ""
	}
	stem := strings.TrimSuffix(name, ext)
	for len(stem)+len(ext) > maxName {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	if stem == "" {
		stem = "file"
	}
	return stem + ext
}

// staging is a file that is being written.
type staging struct {
	file *os.File
	rel  string // below the folder of attachments
	root string
	size int64
	sum  hash.Hash
}

// create begins a new file, which nobody else can read.
func (st stage) create(name string) (*staging, error) {
	if err := makeDir(st.root); err != nil {
		return nil, fmt.Errorf("stage a file: %w", bare(err))
	}
	root, err := os.OpenRoot(st.root)
	if err != nil {
		return nil, fmt.Errorf("stage a file: %w", bare(err))
	}
	defer root.Close()
	if err := root.Mkdir(stageDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("stage a file: %w", bare(err))
	}
	if info, err := root.Lstat(stageDir); err != nil || !info.IsDir() {
		return nil, errors.New("stage a file: what should be our folder among the attachments is none")
	}
	dir := path.Join(stageDir, strings.ToLower(rand.Text()))
	if err := root.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("stage a file: %w", bare(err))
	}
	rel := path.Join(dir, safeName(name))
	f, err := root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stage a file: %w", errors.Join(bare(err), root.RemoveAll(dir)))
	}
	return &staging{file: f, rel: rel, root: st.root, sum: sha256.New()}, nil
}

// Write appends to the file.
func (s *staging) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	s.sum.Write(p[:n])
	return n, bare(err)
}

// reset begins anew.
func (s *staging) reset() error {
	if err := s.file.Truncate(0); err != nil {
		return bare(err)
	}
	if _, err := s.file.Seek(0, 0); err != nil {
		return bare(err)
	}
	s.size = 0
	s.sum.Reset()
	return nil
}

func (s *staging) digest() string { return hex.EncodeToString(s.sum.Sum(nil)) }

// finish returns once the file is on disk under its name.
func (s *staging) finish() error {
	fault.Before(fault.RelayStageFile)
	err := s.file.Sync()
	if cerr := s.file.Close(); err == nil {
		err = cerr
	}
	// Its folder is new in ours, which may be new among the attachments.
	for dir := path.Dir(s.rel); err == nil; dir = path.Dir(dir) {
		if err = syncFolder(filepath.Join(s.root, dir)); dir == "." {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("stage a file: %w", bare(err))
	}
	fault.After(fault.RelayStageFile)
	return nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// drop removes a file that is not needed any more.
func (s *staging) drop() error {
	_ = s.file.Close() // it may be closed already
	return stage{s.root}.remove(path.Dir(s.rel))
}

// remove removes a file's own folder.
func (st stage) remove(dir string) error {
	root, err := os.OpenRoot(st.root)
	if err != nil {
		return fmt.Errorf("remove a staged file: %w", bare(err))
	}
	defer root.Close()
	if err := root.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove a staged file: %w", bare(err))
	}
	return nil
}

// there tells whether a staged file can be sent.
func (st stage) there(rel string) bool {
	info, err := os.Lstat(filepath.Join(st.root, rel))
	return err == nil && info.Mode().IsRegular()
}

// keptStaged is how long a file stays after its message is over: Messages shows it
// from where it lies.
const keptStaged = 7 * 24 * time.Hour

// sweep removes the files that are not needed, and those that no journal knows: of a
// daemon that was killed while it fetched, or of another pairing.
func (st stage) sweep(needed map[string]bool, now time.Time) error {
	entries, err := os.ReadDir(filepath.Join(st.root, stageDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at staged files: %w", bare(err))
	}
	var errs []error
	for _, e := range entries {
		dir := path.Join(stageDir, e.Name())
		info, err := e.Info()
		if err != nil || needed[dir] || now.Sub(info.ModTime()) < keptStaged {
			continue
		}
		errs = append(errs, st.remove(dir))
	}
	return errors.Join(errs...)
}

// staged notes where the file of an order lies. It returns false where the order no
// longer waits for it.
func (j *journal) staged(ctx context.Context, s send, rel string) (bool, error) {
	n := int64(0)
	err := j.write(ctx, fault.RelayStaged, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE orders SET staged = ? WHERE message = ? AND EXISTS (SELECT 1 FROM sends
			WHERE sends.message = orders.message AND part = ? AND attempt = ? AND state = ?)`, rel, s.message, s.part, s.attempt, stateReceived)
		if err == nil {
			n, err = res.RowsAffected()
		}
		if err != nil {
			return fmt.Errorf("note a staged file: %w", err)
		}
		return nil
	})
	return n > 0, err
}

// unfetched are the files that orders wait for.
func (j *journal) unfetched(ctx context.Context) ([]send, error) {
	return j.querySends(ctx, "part = ? AND state = ? AND staged = '' ORDER BY seq", partFile, stateReceived)
}

// neededFiles are the folders of the files that have to stay; the others are forgotten
// in the journal, so that an attempt that comes late fetches its file again.
func (j *journal) neededFiles(ctx context.Context, now time.Time) (map[string]bool, error) {
	const over = `staged != '' AND NOT EXISTS (SELECT 1 FROM sends WHERE sends.message = orders.message AND part = 'file' AND (
		state IN ('received', 'armed', 'handed') OR max(received_at, armed_at, ended_at, settle_at) >= ?
		OR ` + unspoken + `))`
	needed := make(map[string]bool)
	err := j.write(ctx, fault.RelayPrune, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE orders SET staged = '' WHERE "+over, now.Add(-keptStaged).UnixMilli()); err != nil {
			return fmt.Errorf("forget staged files: %w", err)
		}
		return eachValue(ctx, tx, "SELECT staged FROM orders WHERE staged != ''", func(rel string) error { needed[path.Dir(rel)] = true; return nil })
	})
	return needed, err
}
