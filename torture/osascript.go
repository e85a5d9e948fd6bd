package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bluerelay/simulator"
)

// runsName is the log of osascript's runs, beside Messages' own files.
const runsName = "runs.jsonl"

// scriptRun is one line of it: a run begins, hands its send over, ends.
type scriptRun struct {
	At    int64  `json:"at"` // Unix milliseconds
	PID   int    `json:"pid"`
	Event string `json:"event"` // begin, dispatch, end
	To    string `json:"to"`    // whom the target is
	Value string `json:"value"` // SHA-256 of the text or of the path
	Code  int    `json:"code,omitzero"`
	File  string `json:"file,omitzero"` // the file's name
}

// Events of a run.
const (
	runBegins   = "begin"
	runDispatch = "dispatch"
	runEnds     = "end"
)

// The longest that the simulated osascript takes before and after what it does: the real
// one takes 50 to 200 ms, and what takes no time is never killed. Where it takes long,
// orders wait in the journal, which can be canceled there, expire there and be given back.
const (
	pause     = 12 * time.Millisecond
	longPause = 200 * time.Millisecond
	// longName is a file beside Messages' own that has it take long.
	longName = "slowly"
)

func pauseOf(dir string) time.Duration {
	if _, err := os.Stat(filepath.Join(dir, longName)); err == nil {
		return longPause
	}
	return pause
}

// osascript is the simulator's, with a log by which the judge knows of each send what
// became of its run.
func osascript(argv0 string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) < 8 {
		return simulator.Osascript(argv0, args, stdin, stdout, stderr)
	}
	sum := sha256.Sum256([]byte(args[7]))
	dir := filepath.Dir(argv0)
	l := runLog{path: filepath.Join(dir, runsName), to: args[6][strings.LastIndexByte(args[6], ';')+1:], value: hex.EncodeToString(sum[:])}
	if args[3] == "send-file" {
		l.file = filepath.Base(args[7])
	}
	l.write(runBegins, 0)
	time.Sleep(rand.N(pauseOf(dir)))
	code := simulator.Osascript(argv0, args, stdin, stdout, &markerWatch{to: stderr, log: l})
	time.Sleep(rand.N(pauseOf(dir)))
	l.write(runEnds, code)
	return code
}

type runLog struct{ path, to, value, file string }

// write appends a line in one call, so that lines of several runs do not mix.
func (l runLog) write(event string, code int) {
	data, err := json.Marshal(scriptRun{time.Now().UnixMilli(), os.Getpid(), event, l.to, l.value, code, l.file})
	if err != nil {
		return
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	f.Write(append(data, '\n'))
}

// markerWatch notes that the script is about to hand its send over, before anybody
// reads it.
type markerWatch struct {
	to  io.Writer
	log runLog
}

func (w *markerWatch) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("bluerelay:dispatch")) {
		w.log.write(runDispatch, 0)
	}
	return w.to.Write(p)
}

// readRuns reads the log of a Mac.
func readRuns(dir string) ([]scriptRun, error) {
	data, err := os.ReadFile(filepath.Join(dir, runsName))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []scriptRun
	for line := range bytes.Lines(data) {
		var r scriptRun
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("read the log of osascript: %w", err)
		}
		list = append(list, r)
	}
	return list, nil
}
