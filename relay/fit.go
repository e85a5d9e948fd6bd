package relay

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"bluerelay/wire"
)

// maxReport is the size of a report in JSON, in bytes, that fits a frame. Messages
// has no limit for a text, and one report that cannot be sent would hold up all
// that come after it. Names cannot be cut short; package chatdb gives none that is so
// long that a report without its texts would be too large.
const maxReport = wire.MaxFrame - 1024

// encodeReport writes a report that fits a frame: without its history and the names
// of its files, and at last with less of its text, where it must be.
func encodeReport(r wire.Report) ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil || len(data) <= maxReport {
		return data, err
	}
	r.Inbound, r.Change = withoutHistory(r.Inbound, r.Change)
	if r.Group != nil {
		group := *r.Group
		r.Group = &group
	}
	for {
		if data, err = json.Marshal(r); err != nil || len(data) <= maxReport {
			return data, err
		}
		shorter := false
		for _, text := range texts(r) {
			if len(*text) > 0 {
				*text, shorter = half(*text), true
			}
		}
		if !shorter {
			return nil, fmt.Errorf("a report of %d bytes without any text", len(data))
		}
	}
}

// withoutHistory gives copies: a report's parts may belong to others too.
func withoutHistory(in *wire.Inbound, c *wire.Change) (*wire.Inbound, *wire.Change) {
	if c != nil {
		short := *c
		short.Edits = nil
		c = &short
	}
	if in != nil {
		short := *in
		_, short.Change = withoutHistory(nil, in.Change)
		short.Media = onlyIDs(in.Media)
		in = &short
	}
	return in, c
}

// onlyIDs leaves out what an upload says again.
func onlyIDs(list []wire.Media) []wire.Media {
	short := make([]wire.Media, len(list))
	for i, v := range list {
		short[i].ID = v.ID
	}
	return short
}

// texts are those that people wrote.
func texts(r wire.Report) (list []*string) {
	if r.Inbound != nil {
		list = append(list, &r.Inbound.Text)
		if r.Inbound.Change != nil {
			list = append(list, &r.Inbound.Change.Text)
		}
	}
	if r.Change != nil {
		list = append(list, &r.Change.Text)
	}
	if r.Group != nil {
		list = append(list, &r.Group.Name)
	}
	return list
}

func half(text string) string {
	n := len(text) / 2
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
