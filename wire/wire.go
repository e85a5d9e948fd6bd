// Package wire is what a relay and the cloud say to each other: frames over one
// websocket, the states of a message with the rules by which one follows another, and
// what tells two texts to be one that Messages has changed.
//
// It refuses to do anything: no I/O, no storage, no clock. Everything in it is a
// plain value, so it may be used from any number of goroutines.
//
// A frame is one JSON object in one text message. Members and frame types that the
// reader does not know are ignored, so that an old relay can meet a new cloud.
//
// What the cloud says are commands and acknowledgements; what a relay says are
// reports of facts. A command carries the attempt it belongs to and is void when
// that attempt is over. A fact is never void: every report has a sequence number
// from the relay's journal, is repeated until it is acknowledged, and is
// acknowledged only when the cloud has committed it.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Subprotocol is offered and required in Sec-WebSocket-Protocol.
const Subprotocol = "bluerelay.v1"

// Version is the number of the protocol in this build; a relay and a cloud work
// together when the cloud's range includes the relay's number.
const Version = 1

// MaxFrame is the size of a frame in bytes that either side accepts. Text is at
// most 5,000 characters in one dialect and 18,996 bytes in the other, so this is
// room enough for the escaping of the worst text; media never travels in frames.
const MaxFrame = 256 << 10

// Type names the kind of a frame.
type Type string

// The frames. Hello, Report and Health travel from the relay to the cloud, the
// others from the cloud to the relay.
const (
	TypeHello   Type = "hello"
	TypeWelcome Type = "welcome"
	TypeSend    Type = "send"
	TypeReport  Type = "report"
	TypeAck     Type = "ack"
	TypeHealth  Type = "health"
	TypeDrain   Type = "drain"
	TypeCancel  Type = "cancel"
	// TypeRelease asks the relay to give back what it has not begun, each with NoSend
	// and FaultReleased, and to begin nothing more: another Mac takes its place. It has
	// no body.
	TypeRelease Type = "release"
)

// Frame is one message on the websocket: a type, and the member of that name.
type Frame struct {
	Type    Type     `json:"t"`
	Hello   *Hello   `json:"hello,omitempty"`
	Welcome *Welcome `json:"welcome,omitempty"`
	Send    *Send    `json:"send,omitempty"`
	Report  *Report  `json:"report,omitempty"`
	Ack     *Ack     `json:"ack,omitempty"`
	Health  *Health  `json:"health,omitempty"`
	Drain   *Drain   `json:"drain,omitempty"`
	Cancel  *Cancel  `json:"cancel,omitempty"`
	// Checkup may come with Health, where it has changed.
	Checkup *Checkup `json:"checkup,omitempty"`
}

// Hello is the relay's first frame.
type Hello struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // of the relay's build
	// Install is the random id that lives inside the relay's journal: another
	// journal is another install, even on the same Mac.
	Install string `json:"install"`
	// JournalHigh is the highest sequence number the journal ever gave out. Lower
	// than what the cloud has seen of this install means that the journal was
	// restored from a copy and must not be trusted.
	JournalHigh int64 `json:"journal_high"`
	// Behind says that chat.db has rows, or may have, of which the journal does not
	// know yet: what JournalHigh counts is not all that this Mac has to say.
	Behind bool   `json:"behind,omitempty"`
	OS     string `json:"os"`   // runtime.GOOS of the relay
	Host   string `json:"host"` // the Mac's name, for people
	Health Health `json:"health"`
}

// Welcome answers Hello.
type Welcome struct {
	// Acked is the highest sequence number of this install that the cloud has
	// committed; the relay repeats everything above it.
	Acked int64 `json:"acked"`
	// Token is that of the report Acked, as the cloud got it. A journal that has
	// another one under that number is an old copy that has gone on by itself.
	Token string `json:"token,omitempty"`
	Line  string `json:"line"` // the phone number this relay sends for, E.164
	// Retired says that another Mac has taken this one's place: it may report what it
	// knows, and must begin nothing. Once its reports are acknowledged the cloud closes
	// the connection with CloseRevoked.
	Retired bool `json:"retired,omitempty"`
}

// Ack says that every report up to and including Seq is committed.
type Ack struct {
	Seq int64 `json:"seq"`
}

// Health says whether the relay can send now, and if not, what a person can do.
type Health struct {
	Ready bool `json:"ready"`
	// Code is one of the Problem constants; empty when ready.
	Code Problem `json:"code,omitempty"`
	// Reason is one sentence for a person, with the next step.
	Reason string `json:"reason,omitempty"`
}

// Problem names why a relay cannot send or see.
type Problem string

// The problems a relay reports.
const (
	ProblemChatDB     Problem = "chat_db"     // chat.db missing, unreadable or not a database
	ProblemAutomation Problem = "automation"  // macOS denies Apple events to Messages (-1743)
	ProblemOsascript  Problem = "osascript"   // the program cannot be started
	ProblemMessages   Problem = "messages"    // Messages is not running or does not answer
	ProblemDisk       Problem = "disk"        // the journal cannot be written, or a file to be sent finds no room
	ProblemStarting   Problem = "starting_up" // not all of an earlier run is settled
	ProblemAccount    Problem = "account"     // Messages is signed out: rows fail for the Mac's own account
	ProblemStuck      Problem = "stuck"       // a file that Messages neither sends nor fails holds up the queue
	ProblemReleased   Problem = "released"    // another Mac takes this one's place
	ProblemCredential Problem = "credential"  // the cloud does not accept the credential, or it cannot be read
)

// Drain tells the relay that this cloud process is about to end: it should expect
// the close and reconnect after the delay.
type Drain struct {
	DelayMS int64 `json:"delay_ms"`
}

// Close codes in the private range of RFC 6455 7.4.2. The code alone tells the
// relay whether to come back.
const (
	CloseProtocol   = 4400 // bad frame or protocol state: come back after a long pause
	CloseRevoked    = 4401 // the credential is no longer valid: pair again
	CloseNotYours   = 4403 // a report about a message of another line: come back after a long pause
	CloseSuperseded = 4408 // a newer connection of the same relay has taken over
	CloseJournal    = 4409 // the journal went back in time: pair again
	CloseTooOld     = 4410 // the protocol of the relay is not spoken here: update
	CloseSlow       = 4413 // the relay does not read what it is sent
)

// Kind says what a report is about.
type Kind string

// Kinds of reports. Those up to Failed are about one of our messages, or about a
// typed one, which its GUID alone names; Received, Typed, Tapped, Grouped and Alarm bring
// something new; the others are about a message that was brought before, named by its GUID.
const (
	Accepted  Kind = "accepted"  // the order is in the journal
	Sending   Kind = "sending"   // about to be handed to Messages
	NoSend    Kind = "nosend"    // this attempt provably had no effect
	Unknown   Kind = "unknown"   // may have been sent: no evidence within the settle window
	Sent      Kind = "sent"      // the row says so
	Delivered Kind = "delivered" // the row says so
	Read      Kind = "read"      // the row says so
	Failed    Kind = "failed"    // the row carries an error, or Messages left a ghost row
	Received  Kind = "received"  // an inbound message
	Typed     Kind = "typed"     // a message that the owner wrote on a device of his own
	Edited    Kind = "edited"    // a message has a new text
	Unsent    Kind = "unsent"    // a message, or a part of it, was taken back
	Joined    Kind = "joined"    // the chat of a message that was given without one
	Tapped    Kind = "tapback"   // a tapback, or its withdrawal
	Grouped   Kind = "group"     // a group has other members, another name or another picture
	Alarm     Kind = "alarm"     // a row that must not be there: its Fault says which
)

// Report is one fact from the relay's journal.
type Report struct {
	Seq int64 `json:"seq"`
	// Token is random and the report's own: two lives of one journal give the same
	// numbers to different reports.
	Token   string `json:"token,omitempty"`
	Kind    Kind   `json:"kind"`
	At      int64  `json:"at"`                // Unix ms on the Mac: from the row where it has one
	Message string `json:"message,omitempty"` // msg_…, of one of our messages
	Attempt int    `json:"attempt,omitempty"`
	GUID    string `json:"guid,omitempty"` // Apple's, once a row is bound
	// Rows are Apple's guids of all other rows of the message: its file's, and those of
	// attempts before. Another Mac of the same Apple Account sees them too. A row that was
	// told as somebody's before comes with Sending, as soon as it is known to be its file's.
	Rows    []string `json:"rows,omitempty"`
	Service string   `json:"service,omitempty"` // the row's: iMessage, SMS, RCS
	Fault   *Fault   `json:"fault,omitempty"`   // with NoSend, Unknown, Failed and Alarm
	// Downgraded says that Messages sent it by SMS though iMessage was asked for.
	Downgraded bool `json:"downgraded,omitempty"`
	// Version is, of Sent and Failed, one more than how often the row had failed before, so
	// that a later state is told from an earlier one whatever the Mac's clock says. It is 0
	// where a message has several rows, and from a relay that does not count.
	Version int64 `json:"version,omitempty"`
	// Again says, with NoSend, that another attempt may succeed.
	Again bool `json:"again,omitempty"`
	// Inbound is the message of Received, Typed and Joined.
	Inbound *Inbound `json:"inbound,omitempty"`
	Change  *Change  `json:"change,omitempty"`  // of Edited and Unsent
	Tapback *Tapback `json:"tapback,omitempty"` // of Tapped
	Group   *Group   `json:"group,omitempty"`   // of Grouped
}

// Fault says why something did not happen, in the words of both a program and a
// person. It never holds message text or an address.
type Fault struct {
	Code   string `json:"code"`             // snake_case, stable
	Number int    `json:"number,omitempty"` // AppleScript's or chat.db's
	Text   string `json:"text"`             // one sentence
}

// Inbound is a message that somebody sent to this Mac or, of Typed, that its owner
// sent from a device of his own.
type Inbound struct {
	GUID    string `json:"guid"`
	From    string `json:"from"` // handle of the sender; of Typed, of the recipient
	To      string `json:"to,omitempty"`
	Chat    string `json:"chat,omitempty"`  // chat guid; empty when the join never came
	Group   bool   `json:"group,omitempty"` // more than two people
	Service string `json:"service,omitempty"`
	Text    string `json:"text"`
	Sent    int64  `json:"sent"` // Unix ms by the sender's or Apple's clock
	// Status is, of Typed, what the row says: StatusSent, StatusDelivered, StatusRead
	// or StatusFailed.
	Status  Status `json:"status,omitempty"`
	ReplyTo string `json:"reply_to,omitempty"` // Apple guid of the message that it answers
	Junk    bool   `json:"junk,omitempty"`     // Messages keeps it out of the owner's sight
	// Change is there where the message had been edited, or a part of it taken back,
	// before anybody saw it.
	Change *Change `json:"change,omitempty"`
	// Attachments is how many files came with the message.
	Attachments int `json:"attachments,omitempty"`
	// Media are those of them that will follow by HTTP, at most MaxMedia.
	Media []Media `json:"media,omitempty"`
}

// Decode reads one frame and checks that the member its type calls for is there.
// A frame of an unknown type is returned as it is, for the caller to ignore.
func Decode(data []byte) (Frame, error) {
	if len(data) > MaxFrame {
		return Frame{}, fmt.Errorf("decode frame: %d bytes, at most %d are allowed", len(data), MaxFrame)
	}
	var f Frame
	if err := json.Unmarshal(data, &f); err != nil {
		return Frame{}, fmt.Errorf("decode frame: %w", err)
	}
	if f.Type == "" {
		return Frame{}, errors.New("decode frame: no type")
	}
	if !f.complete() {
		return Frame{}, fmt.Errorf("decode frame: a %s frame without its body", f.Type)
	}
	return f, nil
}

// Encode writes one frame. It fails on a frame larger than MaxFrame.
func Encode(f Frame) ([]byte, error) {
	data, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	if len(data) > MaxFrame {
		return nil, fmt.Errorf("encode frame: %d bytes, at most %d are allowed", len(data), MaxFrame)
	}
	return data, nil
}

func (f Frame) complete() bool {
	switch f.Type {
	case TypeHello:
		return f.Hello != nil && f.Hello.Install != ""
	case TypeWelcome:
		return f.Welcome != nil
	case TypeSend:
		return f.Send != nil && f.Send.Message != "" && f.Send.Attempt > 0
	case TypeCancel:
		return f.Cancel != nil && f.Cancel.Message != "" && f.Cancel.Attempt > 0
	case TypeReport:
		return f.Report != nil && f.Report.complete()
	case TypeAck:
		return f.Ack != nil
	case TypeHealth:
		return f.Health != nil
	case TypeDrain:
		return f.Drain != nil
	}
	return true
}

func (r Report) complete() bool {
	if r.Seq <= 0 {
		return false
	}
	switch r.Kind {
	case Received, Typed, Joined:
		return r.Inbound != nil && r.Inbound.GUID != ""
	case Edited, Unsent:
		return r.Change != nil && r.GUID != ""
	case Tapped:
		return r.Tapback != nil && r.GUID != ""
	case Grouped:
		return r.Group != nil && r.GUID != ""
	case Alarm:
		return r.Fault != nil
	}
	return r.Message != "" || r.GUID != ""
}

// PairRequest is the body of POST /relay/v1/pair: a one-time setup token, and what
// people should see of the Mac that uses it.
type PairRequest struct {
	Token   string `json:"token"`
	Host    string `json:"host"`
	OS      string `json:"os"`
	Version string `json:"version"`
}

// PairResponse answers PairRequest: with status 200 everything but Error, otherwise
// Error, a sentence for the person at the Mac.
type PairResponse struct {
	RelayID string `json:"relay_id,omitempty"`
	Secret  string `json:"secret,omitempty"` // shown this once
	Account string `json:"account,omitempty"`
	Line    string `json:"line,omitempty"`
	// LineID is the line's own id: its number may be removed and come back as another
	// line, of another account. Older clouds do not tell it.
	LineID string `json:"line_id,omitempty"`
	Error  string `json:"error,omitempty"`
}

// RotationResponse answers POST /relay/v1/credential: another secret for the relay that
// asked. It counts beside the one that was shown, which ends when the new one is shown.
type RotationResponse struct {
	Secret string `json:"secret"` // shown this once
}
