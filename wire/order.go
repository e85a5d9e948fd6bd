package wire

// The services of Send.Service.
const (
	ServiceAuto     = "auto" // that of the conversation, for a new one iMessage
	ServiceIMessage = "iMessage"
	ServiceSMS      = "SMS"
	ServiceRCS      = "RCS"
)

// Send orders one attempt at one message. With a file and a text the file goes first.
// At least one of the two is there.
type Send struct {
	Message string `json:"message"`         // msg_…
	Attempt int    `json:"attempt"`         // 1, 2, …: a new attempt only after NoSend for the former, or as SMS after a row that is not on iMessage
	Seq     int64  `json:"seq"`             // order within the line
	To      string `json:"to,omitempty"`    // handle: E.164 or lower-case address; empty for a group
	Group   string `json:"group,omitempty"` // chat guid of an existing group, as chat.db has it; empty for a person
	Text    string `json:"text,omitempty"`
	File    *File  `json:"file,omitempty"`
	Service string `json:"service"` // one of the Service constants
	// ExpiresIn is how many milliseconds were left, when the frame was written, until
	// the message may no longer be begun; 0 for no end. The cloud's and the Mac's
	// clocks are never compared.
	ExpiresIn int64 `json:"expires_in,omitempty"`
}

// File is a file to be sent. The relay fetches it with
//
//	GET /relay/v1/files/{id}
//
// and its credential, with Range where it was cut, and checks Size and SHA256 before
// it begins. 404 means that the cloud no longer has it.
type File struct {
	ID     string `json:"id"`
	Name   string `json:"name"` // for people: what the recipient sees
	MIME   string `json:"mime"`
	Size   int64  `json:"size"`   // bytes, at most MaxMediaBytes
	SHA256 string `json:"sha256"` // hex
}

// Cancel asks the relay not to begin an attempt. It answers with NoSend and
// FaultCanceled if it had not begun, also where it never got the order; otherwise
// what becomes of the attempt is the answer.
type Cancel struct {
	Message string `json:"message"`
	Attempt int    `json:"attempt"`
}

// Codes of the Fault of a NoSend by which a message ends as something else than
// failed, or goes back to wait.
const (
	FaultCanceled = "canceled" // as Cancel asked
	FaultExpired  = "expired"  // its time had passed before it was begun
	FaultReleased = "released" // given back, as TypeRelease asked: another Mac may have it
)

// Codes of the Fault of a Failed message of which one part went out and the other did
// not. Where the row of the other says so, the fault has that row's error as its number;
// otherwise it is the journal's word.
const (
	FaultFile = "file_failed"
	FaultText = "text_failed"
)

// FaultUnknown is the code of the Fault of an Unknown message: it may have been sent.
const FaultUnknown = "outcome_unknown"

// Codes of the Fault of an Alarm.
const (
	FaultMisrouted = "misrouted_row" // the text of a send appeared in another conversation
	FaultDuplicate = "duplicate_row" // a send has more rows than it asked for
)

// Errors of a row (chat.db, column error) from the first to the last of which the
// recipient is not reached by iMessage, and Messages does not try again by itself: the
// same text may go by SMS.
const (
	FirstNotReached = 21
	LastNotReached  = 24
)
