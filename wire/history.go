package wire

// The limits of one History: what fits is one transaction of the cloud, during which
// everybody else waits.
const (
	MaxHistory      = 500     // messages
	MaxHistoryBytes = 1 << 20 // of the JSON body
)

// History is the body of POST /relay/v1/history: messages of the past, to be stored
// as they are, without events. The request carries the relay's credential.
type History struct {
	Messages []Past `json:"messages"`
}

// Past is one message of the past, in either direction.
type Past struct {
	GUID string `json:"guid"`
	// Own says that this Mac's account sent it, from whatever device.
	Own     bool   `json:"own,omitempty"`
	Handle  string `json:"handle,omitempty"` // the other party; empty on an own message to a group, and where nobody is named
	Chat    string `json:"chat,omitempty"`   // chat guid; empty where there is no join
	Group   bool   `json:"group,omitempty"`
	Service string `json:"service,omitempty"`
	Text    string `json:"text"`
	// Status is StatusReceived, or of an own message StatusSent, StatusDelivered,
	// StatusRead or StatusFailed, as the row says.
	Status    Status `json:"status"`
	At        int64  `json:"at"`                  // Unix ms: the row's date
	Delivered int64  `json:"delivered,omitempty"` // Unix ms, 0 where the row does not say
	Read      int64  `json:"read,omitempty"`
	Fault     *Fault `json:"fault,omitempty"`    // with StatusFailed
	ReplyTo   string `json:"reply_to,omitempty"` // Apple guid of the message that it answers
	Junk      bool   `json:"junk,omitempty"`     // Messages keeps it out of the owner's sight
}

// HistoryAnswer answers History: with status 200 how many of the messages were not
// there yet, otherwise Error, a sentence for the person at the Mac.
type HistoryAnswer struct {
	New   int    `json:"new"`
	Error string `json:"error,omitempty"`
}
