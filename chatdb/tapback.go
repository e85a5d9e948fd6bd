package chatdb

import (
	"strconv"
	"strings"
)

// Tapback is a reaction to another message, or the withdrawal of one. Messages
// keeps each as a row of its own; a reaction that replaces another one of the same
// person takes the other's row away.
type Tapback struct {
	Kind    string // love, like, dislike, laugh, emphasize, question, emoji, sticker
	Emoji   string // of kind emoji
	Removed bool
	Target  string // guid of the message
	Part    int    // of that message, from 0; -1 for the message as a whole
}

// The values of associated_message_type.
const (
	associatedSticker = 1000 // a sticker laid upon a bubble
	tapbackFirst      = 2000
	tapbackRemoved    = 3000
)

// tapbackKinds are in the order of the numbers from tapbackFirst and from
// tapbackRemoved on.
var tapbackKinds = [...]string{"love", "like", "dislike", "laugh", "emphasize", "question", "emoji", "sticker"}

// tapbackOf reads the associated columns; nil for what is no tapback. Numbers that
// are not known are none: heading data (2, 3) and votes of a poll (4000) use the
// same columns.
func tapbackOf(associated int, guid, emoji string) *Tapback {
	t := Tapback{Kind: "sticker"}
	if associated != associatedSticker {
		t.Removed = associated >= tapbackRemoved
		i := associated - tapbackFirst
		if t.Removed {
			i = associated - tapbackRemoved
		}
		if i < 0 || i >= len(tapbackKinds) {
			return nil
		}
		t.Kind = tapbackKinds[i]
	}
	if t.Kind == "emoji" {
		t.Emoji = emoji
	}
	t.Target, t.Part = associatedTarget(guid)
	return &t
}

// associatedTarget reads p:PART/GUID (a part), bp:GUID (a balloon) or a bare guid.
func associatedTarget(s string) (guid string, part int) {
	if rest, ok := strings.CutPrefix(s, "bp:"); ok {
		return rest, -1
	}
	rest, ok := strings.CutPrefix(s, "p:")
	if !ok {
		return s, -1
	}
	number, guid, ok := strings.Cut(rest, "/")
	if n, err := strconv.ParseUint(number, 10, 16); ok && err == nil {
		return guid, int(n)
	}
	return guid, -1
}
