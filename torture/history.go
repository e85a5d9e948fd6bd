package main

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"sync"
	"time"
)

// history is what the harness did and what it was answered: the other side of the
// judgement beside Messages' log. It may be used concurrently.
type history struct {
	mu       sync.Mutex
	sent     []sent
	received []received
	typed    map[string]int // own words that nobody asked us to send, by recipient and hash
	windows  []window
	doubt    map[string]string // messages whose run was broken off, and by what
}

// sent is a message that the cloud has accepted.
type sent struct {
	id        string
	line      string
	to        string
	hash      string // of the text, as Messages' log has it
	unique    bool   // no other message of the round has this text
	at        time.Time
	canceling bool // somebody asked to cancel it
	expiring  bool // it was given little time
}

// received is what was put into a Mac.
type received struct {
	line string
	text string
	sure bool // Messages said that it has it
	at   time.Time
	file bool
}

// window is a time in which something happened that leaves questions.
type window struct {
	what     string
	line     string
	from, to time.Time
}

// What leaves questions.
const (
	whatSwap    = "swap"
	whatRepair  = "repair"
	whatRestore = "restore"
	whatForget  = "forget"
	whatFull    = "full disk"
)

// retires tells whether the line had another Mac or journal afterwards.
func (w window) retires() bool { return w.what != whatFull }

// forgets tells whether the line's journal was lost: what came in just before may be
// history to the next one. Any other journal knows how far it has read, and a new Mac
// reads from before the old one was told to stop.
func (w window) forgets() bool { return w.what == whatForget }

// around tells whether a time lies in the window, or so much before or behind it.
func (w window) around(t time.Time, before, behind time.Duration) bool {
	return t.After(w.from.Add(-before)) && t.Before(w.to.Add(behind))
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (h *history) accept(s sent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, s)
}

func (h *history) receive(r received) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.received = append(h.received, r)
}

func (h *history) typedOn(line, to, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.typed == nil {
		h.typed = make(map[string]int)
	}
	h.typed[line+to+hashOf(text)]++
}

// during notes a window that began at a time and ends now.
func (h *history) during(what, line string, from time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.windows = append(h.windows, window{what, line, from, time.Now()})
}

// messageID finds the message in the name of a run or of a file.
var messageID = regexp.MustCompile(`msg_[a-z0-9]+`)

// brokenOff notes that the run of a message was ended in the middle.
func (h *history) brokenOff(subject, by string) {
	id := messageID.FindString(subject)
	if id == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.doubt == nil {
		h.doubt = make(map[string]string)
	}
	h.doubt[id] = by
}

// end takes note of a process that ended itself.
func (h *history) end(e end) {
	// Before the marker nothing can have happened, and with the result all is known.
	if !e.stopped && isInShim(e.place) && e.place != "shim.order" && e.place != "shim.result.after" {
		h.brokenOff(e.subject, e.place)
	}
}
