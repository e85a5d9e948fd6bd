package simulator

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
)

// life is one message from its row to its last receipt. It is written to the
// schedule before anything else happens and never changes afterwards; what is
// kept beside it is the step that comes next, and when.
type life struct {
	GUID    string
	Own     bool
	Service string
	Peer    string // handle of the other party; empty on own messages to a group
	Chat    string // guid of the chat
	Caller  string // own address
	Text    string
	File    *attachment `json:",omitzero"`
	Asked   *asked      `json:",omitzero"` // set where osascript asked for it
	Device  bool        // typed on another device of the owner
	Steps   []step
}

// step is one change of chat.db, After a delay from the step before it.
type step struct {
	Do    deed
	After time.Duration
	Error int `json:",omitzero"` // of doFail
}

type deed string

const (
	doRow      deed = "row"
	doJoin     deed = "join"
	doAttach   deed = "attach"
	doTransfer deed = "transfer"
	doArrive   deed = "arrive"
	doBreak    deed = "break" // the attachment's transfer fails
	doSent     deed = "sent"
	doFail     deed = "fail"
	doDeliver  deed = "deliver"
	doRead     deed = "read"
	doReply    deed = "reply"
	doDrop     deed = "drop"  // nothing comes of it but its line in the effects log
	doGhost    deed = "ghost" // a row of nothing
)

// asked is what the effects log tells of a send.
type asked struct {
	Recipient string
	SHA256    string     // of the VALUE that osascript was given
	Kind      EffectKind `json:",omitzero"`
}

// inboundLife is a message from another person. Its row says delivered
// without a date, as inbound rows do, and is complete at once.
func inboundLife(from, to, service, text string, file *attachment) *life {
	l := &life{
		GUID: newGUID(), Service: service, Peer: from, Chat: directChat(from),
		Caller: to, Text: text, File: file,
	}
	l.Steps = slices.Concat([]step{{Do: doRow, After: rowDelay}, {Do: doJoin}}, file.steps())
	return l
}

// deviceLife is a message that the owner typed on another device: it comes in
// already sent, and is delivered without a date.
func deviceLife(to, caller, text string) *life {
	return &life{
		GUID: newGUID(), Own: true, Service: serviceIMessage, Peer: to, Chat: directChat(to),
		Caller: caller, Text: text, Device: true,
		Steps: []step{
			{Do: doRow, After: rowDelay},
			{Do: doJoin},
			{Do: doDeliver, After: deliverDelay},
		},
	}
}

// directChat is the guid of a one-to-one chat as macOS 26 writes it.
func directChat(handle string) string { return "any;-;" + handle }

// newGUID makes an identifier in the form Messages uses.
func newGUID() string {
	var b [16]byte
	rand.Read(b[:])
	return formatGUID(b)
}

func formatGUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
