package relay

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"bluerelay/chatdb"
	"bluerelay/wire"
)

// What a message has come to is told of the whole: sent when all its parts are, and
// failed when one of them is. This file is the one place that puts it together.

// saveRow binds a row to a send, or notes how a bound row has changed, and reports
// the changes.
func saveRow(ctx context.Context, tx *sql.Tx, s send, m chatdb.Message, changes []chatdb.Change, seen chatdb.Seen, now time.Time) error {
	state, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE sends SET state = ?, guid = ?, rowid_ = ?, seen = ?, text = '' WHERE message = ? AND part = ? AND attempt = ?",
		stateObserved, m.GUID, m.RowID, string(state), s.message, s.part, s.attempt)
	if err != nil {
		return fmt.Errorf("bind a row: %w", err)
	}
	if s.guid == "" && m.HasAttachments {
		// Where it was told as somebody's at first: the cloud has what it sends.
		if _, err := tx.ExecContext(ctx, "DELETE FROM uploads WHERE message = ?", m.GUID); err != nil {
			return fmt.Errorf("bind a row: %w", err)
		}
	}
	if s.guid == "" && s.fault != nil && s.fault.Code == faultGhost {
		if err := saveFault(ctx, tx, s); err != nil {
			return err
		}
		s.state = stateObserved
	}
	if seen.Error != 0 || s.ghost() {
		if err := dropRest(ctx, tx, s); err != nil {
			return err
		}
	}
	w, err := loadWhole(ctx, tx, s.message)
	if err != nil {
		return err
	}
	// From what it was, one change after the other: two may have come at once.
	w.at(s).seen = s.seen
	for _, c := range changes {
		r := changeReport(m, c, now)
		r.Message, r.Attempt, r.Downgraded = s.message, s.attempt, downgraded(s, m)
		if c.Kind == chatdb.KindFailed && s.ghost() {
			r.Fault = s.fault
		}
		switch c.Kind {
		case chatdb.KindSent, chatdb.KindDelivered, chatdb.KindRead, chatdb.KindFailed:
			w.at(s).apply(c)
			if len(w.rows) > 1 && !w.merge(&r) {
				continue
			}
		default:
			if s.part == partFile && w.rows[0].file != nil && len(w.rows) > 1 {
				continue // what is said of the message is said of its text
			}
		}
		r.Rows = w.others(r.GUID)
		if err := addReport(ctx, tx, r, now); err != nil {
			return err
		}
	}
	return w.save(ctx, tx)
}

// saveFault notes why a send has failed where its row does not say so.
func saveFault(ctx context.Context, tx *sql.Tx, s send) error {
	data, err := json.Marshal(s.fault)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE sends SET fault = ? WHERE message = ? AND part = ? AND attempt = ?", string(data), s.message, s.part, s.attempt); err != nil {
		return fmt.Errorf("bind a row: %w", err)
	}
	return nil
}

// downgraded tells whether Messages took SMS though it was given to iMessage.
func downgraded(s send, m chatdb.Message) bool {
	return m.Downgraded || s.via == wire.ServiceIMessage && m.Service == wire.ServiceSMS
}

// apply notes a change of a row's state.
func (s *send) apply(c chatdb.Change) {
	s.seen.Error = c.Error
	switch c.Kind {
	case chatdb.KindFailed:
		s.seen.Sent = false
	case chatdb.KindRead:
		s.seen.Read = true
	case chatdb.KindDelivered:
		s.seen.Delivered = true
	case chatdb.KindSent:
		s.seen.Sent = true
	}
}

// whole is all that the journal has of one message.
type whole struct {
	message string
	rows    []send // all parts of all attempts, in the order of their attempts
	told    string // what was told of it last, where it has several rows
}

func loadWhole(ctx context.Context, tx *sql.Tx, message string) (whole, error) {
	w := whole{message: message}
	var err error
	if w.rows, err = querySends(ctx, tx, "message = ? ORDER BY attempt, part", message); err != nil || len(w.rows) < 2 {
		return w, err
	}
	if err := tx.QueryRowContext(ctx, "SELECT told FROM orders WHERE message = ?", message).Scan(&w.told); err != nil {
		return w, fmt.Errorf("read the journal: %w", err)
	}
	return w, nil
}

func (w *whole) save(ctx context.Context, tx *sql.Tx) error {
	if len(w.rows) < 2 {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "UPDATE orders SET told = ? WHERE message = ?", w.told, w.message); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

func (w *whole) at(s send) *send {
	for i := range w.rows {
		if w.rows[i].same(s) {
			return &w.rows[i]
		}
	}
	return &s
}

// others are the guids of all rows but one.
func (w whole) others(guid string) (list []string) {
	for _, s := range w.rows {
		if s.guid != "" && s.guid != guid {
			list = append(list, s.guid)
		}
	}
	return list
}

// current are the parts that count, the file first: each of the last attempt, but for
// one that an earlier attempt's row says is sent after all.
func (w whole) current() (parts []send) {
	for _, name := range []string{partFile, partText} {
		var pick *send
		for i, s := range w.rows {
			if s.part == name && (pick == nil || pick.level() == 0) {
				pick = &w.rows[i]
			}
		}
		if pick != nil {
			parts = append(parts, *pick)
		}
	}
	return parts
}

// level is how far a row says that it got: 0 not at all, 1 sent, 2 delivered, 3 read.
func (s send) level() int {
	switch {
	case s.state != stateObserved || s.failure() != nil:
		return 0
	case s.seen.Read:
		return 3
	case s.seen.Delivered:
		return 2
	case s.seen.Sent:
		return 1
	}
	return 0
}

// failure is what the row says of its failing, nil where it does not.
func (s send) failure() *wire.Fault {
	switch {
	case s.ghost():
		f := *s.fault
		return &f
	case s.state == stateObserved && s.seen.Error != 0:
		return &wire.Fault{Code: "messages_error", Number: s.seen.Error, Text: failureSentence(s.seen.Error)}
	}
	return nil
}

// verdict is what has become of the message: Sent, Delivered, Read, Failed or Unknown
// with its fault, or "" where there is nothing to say yet. The text's row is the
// message's, or the file's where it has no other.
func (w whole) verdict() (kind wire.Kind, fault *wire.Fault, guid string) {
	parts := w.current()
	var failed, unknown, dropped, began, maybe *send
	lowest := 3
	for i, s := range parts {
		lowest = min(lowest, s.level())
		if s.guid != "" {
			guid = s.guid
		}
		switch {
		case s.failure() != nil:
			failed = &parts[i]
		case s.state == stateUnknown, s.silent():
			unknown = &parts[i]
		case s.state == stateNoSend:
			dropped = &parts[i]
		case s.state == stateObserved:
			began = &parts[i]
		case s.state == stateArmed || s.state == stateHanded:
			maybe = &parts[i]
		}
	}
	switch {
	case failed != nil:
		fault = failed.failure()
		switch {
		case began != nil:
			halfOf(fault, failed.part, "went out")
		case maybe != nil || unknown != nil:
			halfOf(fault, failed.part, "may have gone out")
		}
		return wire.Failed, fault, guid
	case unknown != nil:
		return wire.Unknown, unknown.fault, guid
	case dropped != nil && began != nil:
		fault = &wire.Fault{Text: "It was not sent any more."}
		if dropped.fault != nil {
			*fault = *dropped.fault
		}
		halfOf(fault, dropped.part, "went out")
		return wire.Failed, fault, guid
	}
	return [...]wire.Kind{"", wire.Sent, wire.Delivered, wire.Read}[lowest], nil, guid
}

// halfOf says of a fault that it is one part's, and what the other did.
func halfOf(f *wire.Fault, part, other string) {
	if part == partFile {
		f.Code, f.Text = wire.FaultFile, "The text "+other+", the file did not: "+f.Text
		return
	}
	f.Code, f.Text = wire.FaultText, "The file "+other+", the text did not: "+f.Text
}

// merge makes a report about one part one about the message. It returns false where
// that is no news.
func (w *whole) merge(r *wire.Report) bool {
	kind, fault, guid := w.verdict()
	told := string(kind)
	if fault != nil {
		told = fmt.Sprintf("%s %s %d", kind, fault.Code, fault.Number)
	}
	if kind == "" || told == w.told {
		return false
	}
	w.told = told
	r.Kind, r.Fault, r.GUID, r.Version = kind, fault, guid, 0
	return true
}

// tell reports what a message has come to, where time or its own end has decided it
// and no row.
func tell(ctx context.Context, tx *sql.Tx, message string, now time.Time) error {
	w, err := loadWhole(ctx, tx, message)
	if err != nil || len(w.rows) == 0 {
		return err
	}
	r := wire.Report{At: now.UnixMilli(), Message: message, Attempt: w.rows[len(w.rows)-1].attempt}
	if !w.merge(&r) {
		return nil
	}
	r.Rows = w.others(r.GUID)
	if err := addReport(ctx, tx, r, now); err != nil {
		return err
	}
	return w.save(ctx, tx)
}

// dropRest ends what was to follow a part that failed, or of which nobody knows
// whether it went out.
func dropRest(ctx context.Context, tx *sql.Tx, s send) error {
	_, err := tx.ExecContext(ctx, "UPDATE sends SET state = ?, text = '' WHERE message = ? AND attempt = ? AND part != ? AND state = ?",
		stateNoSend, s.message, s.attempt, s.part, stateReceived)
	if err != nil {
		return fmt.Errorf("end a send: %w", err)
	}
	return nil
}

func failureSentence(code int) string {
	if code == 22 {
		return "The recipient is not reachable by iMessage (error 22)."
	}
	if name := chatdb.ErrorName(code); name != "" {
		return fmt.Sprintf("Messages could not send it: %s (error %d).", name, code)
	}
	return fmt.Sprintf("Messages could not send it (error %d).", code)
}
