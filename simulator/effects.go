package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// EffectKind tells the effects apart that are none, or not what was asked for. They
// come of Trouble only.
type EffectKind string

// The kinds of effects.
const (
	EffectOrdinary  EffectKind = ""          // a row, to whom it was asked for
	EffectDrop      EffectKind = "drop"      // taken, and nothing sent: no row, RowID is 0
	EffectGhost     EffectKind = "ghost"     // a row, and nothing sent
	EffectMisroute  EffectKind = "misroute"  // sent to MisroutedTo; Recipient is whom it was asked for
	EffectDuplicate EffectKind = "duplicate" // Messages' own second row for one send
)

// Effect is one line of effects.jsonl: a row that Messages made for a send by
// osascript, or a send that it took and made nothing of. The file is in the order of
// the rows and holds each row once, through any crash of Messages: what a test of a
// sender is held against.
type Effect struct {
	Time      int64  `json:"time"` // Unix milliseconds of the row's commit
	RowID     int64  `json:"rowid"`
	GUID      string `json:"guid"`
	Recipient string `json:"recipient"` // handle, or chat guid of a group
	SHA256    string `json:"sha256"`    // of the text, hex; for a file of the path given
	// Kind is left out of the line of an ordinary effect.
	Kind EffectKind `json:"kind,omitzero"`
}

// Sent tells whether somebody got the message.
func (e Effect) Sent() bool { return e.Kind != EffectDrop && e.Kind != EffectGhost }

// Effects reads the effects log of dir, which may belong to a running
// Messages; a folder without one has no effects. A line still being written
// is left out.
func Effects(dir string) ([]Effect, error) {
	data, err := os.ReadFile(filepath.Join(dir, effectsName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read effects log: %w", err)
	}
	var effects []Effect
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e Effect
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("decode effects log: %w", err)
		}
		effects = append(effects, e)
	}
	return effects, nil
}

// effectsLog appends to effects.jsonl.
type effectsLog struct {
	file *os.File
}

func openEffects(dir string) (*effectsLog, error) {
	f, err := os.OpenFile(filepath.Join(dir, effectsName), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open effects log: %w", err)
	}
	l := &effectsLog{file: f}
	if err := l.dropTornLine(); err != nil {
		return nil, errors.Join(fmt.Errorf("mend effects log: %w", err), f.Close())
	}
	return l, nil
}

func (l *effectsLog) close() error { return l.file.Close() }

func (l *effectsLog) append(rowid int64, guid string, a asked) error {
	line, err := json.Marshal(Effect{time.Now().UnixMilli(), rowid, guid, a.Recipient, a.SHA256, a.Kind})
	if err != nil {
		return fmt.Errorf("encode effect: %w", err)
	}
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("append effect: %w", err)
	}
	return nil
}

// has looks for a row's line: asked only where a crash may have come between
// a row and its line.
func (l *effectsLog) has(guid string) (bool, error) {
	all := io.NewSectionReader(l.file, 0, 1<<62)
	for lines := bufio.NewScanner(all); ; {
		if !lines.Scan() {
			return false, lines.Err()
		}
		if bytes.Contains(lines.Bytes(), []byte(`"`+guid+`"`)) {
			return true, nil
		}
	}
}

// dropTornLine removes what a crash in the middle of a write left at the end.
func (l *effectsLog) dropTornLine() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	const most = 4096 // longer than any line
	tail := make([]byte, min(info.Size(), most))
	if _, err := l.file.ReadAt(tail, info.Size()-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	torn := len(tail) - 1 - bytes.LastIndexByte(tail, '\n')
	return l.file.Truncate(info.Size() - int64(torn))
}
