package chatdb

import (
	"strconv"
	"strings"
)

// Reply names the message that another one answers in its thread. The column
// reply_to_guid says something else: which message came before in the chat.
type Reply struct {
	GUID string
	Part int // of that message, from 0
}

// replyOf reads thread_originator_guid and thread_originator_part, which is
// PART:LOCATION:LENGTH; nil where there is none.
func replyOf(guid, part string) *Reply {
	if guid == "" {
		return nil
	}
	number, _, _ := strings.Cut(part, ":")
	n, _ := strconv.ParseUint(number, 10, 16)
	return &Reply{GUID: guid, Part: int(n)}
}
