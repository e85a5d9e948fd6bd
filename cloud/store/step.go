package store

import (
	"cmp"
	"fmt"
	"strings"

	"bluerelay/wire"
)

// Step is one change of a message's status.
type Step struct {
	ID string
	To wire.Status
	// InstallID and Attempt fence what is a command or a claim: the step is void unless
	// the install is the message's own, and the attempt too or a later one, which a
	// database that was restored from a copy does not know of. Facts leave InstallID empty.
	InstallID    string
	Attempt      int
	At           int64 // when it happened, Unix ms
	Now          int64 // Unix ms
	AppleGUID    string
	Unbound      string // guid of a row that the step rests on and that is not to be the message's
	Service      string
	ErrorCode    string
	ErrorNumber  int
	ErrorMessage string
	Evidence     string // one of the Evidence constants; "" for EvidenceRelay
}

// Advance changes a message's status if the table of transitions and the fence
// allow it, and adds the change to the message's timeline. It returns the message as
// it is then, and false where nothing was changed: late news, not an error.
func (tx *Tx) Advance(s Step) (Message, bool, error) {
	from := s.To.From()
	if len(from) == 0 {
		return Message{}, false, fmt.Errorf("nothing may become %s", s.To)
	}
	states := make([]string, len(from))
	for i, f := range from {
		states[i] = "'" + string(f) + "'" // constants of package wire
	}
	list, err := collect(tx.ctx, tx.reader, scanMessage, advance+" AND (status IN ("+strings.Join(states, ", ")+") OR "+corrects+") RETURNING "+messageColumns,
		s.To, s.ErrorCode, s.ErrorNumber, s.ErrorMessage, s.Now, s.Service, null(s.AppleGUID), s.At, s.ID, s.InstallID, s.Attempt)
	if err != nil || len(list) == 0 {
		return Message{}, false, err
	}
	m, err := tx.settled(list[0], nil)
	if err != nil {
		return Message{}, false, err
	}
	return m, true, tx.AddStep(m.AccountID, s.ID, s.entry(m))
}

// advance writes one step. A later state implies the times of the earlier ones; a
// time that is known is kept. A request to cancel is answered by whatever comes of
// the message, but for its arrival in the journal.
const advance = `UPDATE messages SET status = $1, error_code = $2, error_number = $3, error_message = $4, updated_at = $5,
	service = CASE WHEN $6 = '' THEN service ELSE $6 END,
	apple_guid = COALESCE($7, apple_guid),
	install_id = CASE WHEN $1 = 'queued' THEN NULL ELSE install_id END,
	attempt = CASE WHEN $10 = '' THEN attempt ELSE $11 END,
	cancel_requested = CASE WHEN $1 = 'accepted' THEN cancel_requested ELSE 0 END,
	accepted_at = CASE WHEN $1 = 'accepted' THEN $8 ELSE accepted_at END,
	dated_at = CASE WHEN $1 IN ('sent', 'delivered', 'read') AND sent_at = 0 THEN $8 ELSE dated_at END,
	sent_at = CASE WHEN $1 IN ('sent', 'delivered', 'read') AND sent_at = 0 THEN $8 ELSE sent_at END,
	delivered_at = CASE WHEN $1 IN ('delivered', 'read') AND delivered_at = 0 THEN $8 ELSE delivered_at END,
	read_at = CASE WHEN $1 = 'read' THEN $8 ELSE read_at END
	WHERE id = $9 AND ($10 = '' OR (install_id = $10 AND attempt <= $11))`

// corrects is where a message that has failed fails by something better than that nobody
// knows what became of it.
const corrects = "$1 = 'failed' AND $2 <> '" + wire.FaultUnknown + "' AND status = 'failed' AND error_code = '" + wire.FaultUnknown + "'"

// entry is the step as the timeline of m tells it.
func (s Step) entry(m Message) TimelineEntry {
	e := TimelineEntry{
		Status: s.To, At: s.At, RecordedAt: s.Now, Attempt: m.Attempt, Evidence: s.Evidence,
		Code: s.ErrorCode, Number: s.ErrorNumber, Detail: s.ErrorMessage,
	}
	if e.Evidence == "" {
		e.Evidence = EvidenceRelay
	}
	if e.Evidence == EvidenceRow {
		e.AppleGUID = cmp.Or(s.Unbound, m.AppleGUID)
	}
	return e
}
