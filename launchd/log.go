package launchd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
)

const (
	logName  = "bluerelay.log"
	nextLog  = ".bluerelay.log" // until the others have made room for it
	logBytes = 10 << 20
	logFiles = 5
	// crashBytes is how long the files may be that launchd appends to for ever. They are
	// for what a dying program says.
	crashBytes = 1 << 20
)

// Log is the daemon's log: bluerelay.log in a folder, moved aside to bluerelay.log.1 to .4
// when it has 10 MB, so that it takes 50 MB at most. launchd's own files would grow for
// ever, and the system's rotation needs root. It is safe for concurrent use.
type Log struct {
	dir  string
	mu   sync.Mutex
	file *os.File
	size int64
	full int64 // the size at which it is moved aside
}

// OpenLog opens the log in dir to append to it; the folder is made with mode 0700, the
// files with 0600. It must be closed.
func OpenLog(dir string) (*Log, error) {
	if err := privateFolder(dir, Agent{LogDir: dir}.isLog); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(numberedLog(dir, 0), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return &Log{dir: dir, file: f, size: info.Size(), full: logBytes}, nil
}

// Write appends whole lines. On a full disk they are lost, and no half of one stays. A log
// that cannot be moved aside is gone on with, and tried again after a further 10 MB.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(p)) > l.full {
		if err := l.rotate(); err != nil {
			l.full = l.size + logBytes
		}
	}
	n, err := l.file.Write(p)
	if err != nil && n > 0 {
		err = errors.Join(err, l.file.Truncate(l.size))
		n = 0
	}
	l.size += int64(n)
	return n, err
}

// rotate moves every file one on, once there is a new one. The oldest is overwritten.
func (l *Log) rotate() error {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(l.dir, nextLog)
	next, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := l.shift(path); err != nil {
		return errors.Join(err, next.Close(), os.Remove(path))
	}
	former := l.file
	l.file, l.size, l.full = next, 0, logBytes
	return former.Close()
}

// shift moves every file one on, and the one at path to the first place.
func (l *Log) shift(path string) error {
	for i := logFiles - 1; i > 0; i-- {
		err := os.Rename(numberedLog(l.dir, i-1), numberedLog(l.dir, i))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(path, numberedLog(l.dir, 0))
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// numberedLog is the path of the i-th log, 0 for the one that is written.
func numberedLog(dir string, i int) string {
	if i == 0 {
		return filepath.Join(dir, logName)
	}
	return filepath.Join(dir, logName+"."+strconv.Itoa(i))
}

// TrimCrashLogs empties the files in dir that launchd appends the output of the job to,
// where they have grown beyond 1 MB. launchd goes on writing to them.
func TrimCrashLogs(dir, label string) error {
	a := Agent{Label: label, LogDir: dir}
	for _, stream := range []string{"out", "err"} {
		info, err := os.Stat(a.logPath(stream))
		if err == nil && info.Size() > crashBytes {
			err = os.Truncate(a.logPath(stream), 0)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("empty the output of crashes: %w", err)
		}
	}
	return nil
}

// logFiles are all files that the daemon and launchd may have in the log folder.
func (a Agent) logFiles() []string {
	list := []string{a.logPath("out"), a.logPath("err"), filepath.Join(a.LogDir, nextLog)}
	for i := range logFiles {
		list = append(list, numberedLog(a.LogDir, i))
	}
	return list
}

// isLog tells whether a name in the log folder is one of ours.
func (a Agent) isLog(name string) bool {
	return slices.Contains(a.logFiles(), filepath.Join(a.LogDir, name))
}

// CrashLog is the file of what the program said when it ended by itself, or "" where it
// said nothing.
func (a Agent) CrashLog() string {
	if info, err := os.Stat(a.logPath("err")); err == nil && info.Size() > 0 {
		return a.logPath("err")
	}
	return ""
}
