package chatdb

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// Edit is one text that a part of a message had.
type Edit struct {
	Part int       // of the message, from 0
	Text string    // without the placeholders of attachments
	At   time.Time // by the clock of whoever edited; zero where the row does not say
}

// summary is what message_summary_info says of a message's history.
type summary struct {
	edits    []Edit // by part, oldest first within each; the first one and the present one included
	unsent   []int  // parts that are gone, rising
	parts    int    // that the message had in the beginning, 0 where it is not said
	revision int64  // how often it was edited
}

// Bounds of a summary. Messages itself allows five edits, and a message of more
// than some dozens of parts was never met.
const (
	maxSummary = 8 << 20 // bytes
	maxParts   = 256
	maxEdits   = 64 // of one part
)

var errSummary = errors.New("its texts are larger than itself")

// parseSummary reads the property list that Messages keeps beside an edited or
// unsent message: under "ec" the texts of each part that was edited, under "rp" the
// parts that were taken back, under "otr" where each part lay in the beginning. It
// does not panic and takes time and memory in proportion to data. What is not of
// the expected kind is passed over.
func parseSummary(data []byte) (s summary, err error) {
	if len(data) > maxSummary {
		return s, errLength
	}
	p, err := openBplist(data)
	if err != nil {
		return s, err
	}
	root := p.root()
	if err := s.readEdits(p, p.member(root, "ec"), len(data)); err != nil {
		return summary{}, err
	}
	for _, o := range p.list(p.member(root, "rp"), maxParts) {
		if part, ok := p.int(o); ok && !slices.Contains(s.unsent, part) {
			s.unsent = append(s.unsent, part)
		}
	}
	slices.Sort(s.unsent)
	parts, _ := p.dict(p.member(root, "otr"), maxParts)
	s.parts = len(parts)
	return s, nil
}

// readEdits decodes at most budget bytes of texts: a list may name one text many
// times.
func (s *summary) readEdits(p bplist, history plistRef, budget int) error {
	parts, lists := p.dict(history, maxParts)
	for i, key := range parts {
		part, ok := p.index(key)
		if !ok || i >= len(lists) {
			continue
		}
		entries := p.list(lists[i], maxEdits)
		for _, entry := range entries {
			text := p.blob(p.member(entry, "t"))
			if budget -= len(text); budget < 0 {
				return errSummary
			}
			seconds, _ := p.real(p.member(entry, "d"))
			s.edits = append(s.edits, Edit{Part: part, Text: strings.ReplaceAll(bodyText(text), placeholder, ""), At: appleSeconds(seconds)})
		}
		s.revision += int64(max(0, len(entries)-1))
	}
	slices.SortStableFunc(s.edits, func(a, b Edit) int { return cmp.Compare(a.Part, b.Part) })
	return nil
}

// whole tells whether every part is gone.
func (s summary) whole() bool { return s.parts > 0 && len(s.unsent) >= s.parts }

// appleSeconds converts a time in seconds since 2001, as property lists have it.
func appleSeconds(seconds float64) time.Time {
	if !(seconds > 0 && seconds < lastSecond) {
		return time.Time{}
	}
	return time.Unix(appleEpoch, 0).Add(time.Duration(seconds * float64(time.Second))).UTC()
}
