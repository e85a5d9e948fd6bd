package cloud

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// cursorText writes a place in a log with letters that need no escape anywhere.
var cursorText = base32.StdEncoding.WithPadding(base32.NoPadding)

const (
	cursorPrefix = "cur_"
	cursorCheck  = 4 // bytes
)

// place is a place in an account's log: after the event of that number.
type place struct {
	seq  int64
	mark uint32 // of that event, 0 where it is not known
}

// placeAfter is the place after an event.
func placeAfter(seq int64, eventID string) place { return place{seq, markOf(eventID)} }

// markOf tells an event from another that has got its number: in a database that was restored
// from a copy numbers are given again.
func markOf(eventID string) uint32 {
	sum := sha256.Sum256([]byte(eventID))
	return binary.BigEndian.Uint32(sum[:])
}

// eventCursor is a place in an account's log as its readers get it. Its check keeps a cursor
// that was cut, mistyped or taken from another account from being read as a place; it is no
// secret, and none is needed: nobody reads another account's log by it.
func eventCursor(accountID string, at place) string {
	data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(at.seq)), at.mark)
	sum := sha256.Sum256(append([]byte(accountID+"\x00"), data...))
	return cursorPrefix + strings.ToLower(cursorText.EncodeToString(append(data, sum[:cursorCheck]...)))
}

// parseEventCursor is the place that a cursor of that account names.
func parseEventCursor(accountID, cursor string) (at place, ok bool) {
	text, ok := strings.CutPrefix(cursor, cursorPrefix)
	if !ok || len(text) > 32 {
		return at, false
	}
	data, err := cursorText.DecodeString(strings.ToUpper(text))
	if err != nil || len(data) != 8+4+cursorCheck {
		return at, false
	}
	at = place{int64(binary.BigEndian.Uint64(data)), binary.BigEndian.Uint32(data[8:])}
	return at, at.seq >= 0 && eventCursor(accountID, at) == cursor
}
