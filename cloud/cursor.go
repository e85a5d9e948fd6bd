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

// eventCursor is the place in an account's log after the event of that number. Its
// check keeps a cursor that was cut, mistyped or taken from another account from
// being read as a place; it is no secret, and none is needed: nobody reads another
// account's log by it.
func eventCursor(accountID string, seq int64) string {
	place := binary.BigEndian.AppendUint64(nil, uint64(seq))
	sum := sha256.Sum256(append([]byte(accountID+"\x00"), place...))
	return cursorPrefix + strings.ToLower(cursorText.EncodeToString(append(place, sum[:cursorCheck]...)))
}

// parseEventCursor is the number in a cursor of that account.
func parseEventCursor(accountID, cursor string) (seq int64, ok bool) {
	text, ok := strings.CutPrefix(cursor, cursorPrefix)
	if !ok || len(text) > 32 {
		return 0, false
	}
	data, err := cursorText.DecodeString(strings.ToUpper(text))
	if err != nil || len(data) != 8+cursorCheck {
		return 0, false
	}
	seq = int64(binary.BigEndian.Uint64(data))
	return seq, seq >= 0 && eventCursor(accountID, seq) == cursor
}
