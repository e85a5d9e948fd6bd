package main

import (
	"path"
	"time"
)

// violation is something that must not be.
type violation struct {
	Round  int    `json:"round"`
	Rule   string `json:"rule"`
	Detail string `json:"detail"`
}

// claim is what the cloud says of a message.
type claim struct {
	ID        string `json:"id"`
	From      string `json:"from"`
	To        string `json:"to"`
	Content   string `json:"content"`
	Status    string `json:"status"`
	Direction string `json:"direction"`
	Origin    string `json:"origin"`
	ErrorCode string `json:"error_code"`
	MediaURL  string `json:"media_url"`
}

// outcomeUnknown is the error code of a message of which nobody knows.
const outcomeUnknown = "outcome_unknown"

func (c claim) unknown() bool { return c.ErrorCode == outcomeUnknown }

func (c claim) went() bool {
	return c.Status == "sent" || c.Status == "delivered" || c.Status == "read"
}

// open tells that the message is still on its way.
func (c claim) open() bool {
	return c.Status == "queued" || c.Status == "polling" && !c.unknown()
}

// effect is a row that Messages made for osascript.
type effect struct{ line, to, hash string }

// evidence is everything that a judgement rests on.
type evidence struct {
	round    int
	bySMS    map[string]bool // lines that send by SMS who is not on iMessage
	claims   []claim
	effects  []effect      // in the order in which they happened
	dropped  map[group]int // what Messages took and nobody got
	again    map[group]int // rows that Messages has made once more by itself, and that count as typed
	runs     map[string][]scriptRun
	sent     []sent
	received []received
	typed    map[string]int
	windows  []window
	doubt    map[string]string
	told     map[string]map[string]int // events by type and message
	unknowns map[string]time.Time      // when a message became unknown
	clashes  []string
	broken   []string // databases that fail their check
}

// group is all messages of a line with one recipient and one text: which of them made
// which row does not matter to anybody.
type group struct{ line, to, hash string }

// standing is how a group's messages stand.
type standing struct {
	went, unknown, failedRow, other int
	effects                         int
	ids                             []string
}

// ordered tells whether a claim is about a message that we were asked to send.
func (c claim) ordered() bool { return c.Direction == "outbound" && c.Origin == "" }

func (c claim) text() group { return group{c.From, c.To, hashOf(c.Content)} }

func (c claim) file() group { return group{c.From, c.To, fileHash(path.Base(c.MediaURL))} }

// addFile takes in the file of a message, which goes before its text. Where nobody knows,
// or one of the two is said to have failed, it may have gone though the message as a
// whole has not.
func (s *standing) addFile(c claim) {
	s.ids = append(s.ids, c.ID)
	switch {
	case c.went():
		s.went++
	case c.unknown() || c.ErrorCode == "file_failed" || c.ErrorCode == "text_failed":
		s.unknown++
	default:
		s.other++
	}
}
