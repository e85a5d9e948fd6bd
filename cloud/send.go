package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// Outgoing is what somebody wants sent. Limits of length are the dialect's.
type Outgoing struct {
	From      string // one of the account's lines, E.164
	To        string // E.164, or an e-mail address; "" with Group
	Group     string // guid of a group that the line has had messages from; "" with To
	Content   string
	Service   string // auto, iMessage, SMS or RCS; "" for auto
	MediaURL  string // of a file that goes before the text: https, or an address of this server; "" without
	MaxMedia  int64  // bytes that the file may have, 0 for wire.MaxMediaBytes
	ExpiresAt int64  // Unix ms from which on it must not be begun, 0 for no end
	NeedsText bool   // a file alone is not enough
	Dialect   string // that the request came by, where it has a Callback
	Callback  string // URL that is told what becomes of it, "" for none
	// KeepDeclined has a message that its recipient does not want stored, as one that has
	// failed with OptedOut; without it there is an error and nothing is stored.
	KeepDeclined bool
	// Once makes a request that comes again get the first one's answer; nil for one
	// that has no key.
	Once *Once

	resendOf string // id of the message that it repeats
	fileOf   string // id of a message whose file it has, if that is still here
	ownFile  bool   // MediaURL is an address of this server
}

// Send stores a message and wakes the relay. When it returns without an error the
// message is on disk. A request that was made before gets *Replay.
func (s *Service) Send(ctx context.Context, p Principal, out Outgoing) (store.Message, error) {
	out.To = lowerAddress(out.To)
	_, _, out.ownFile = s.ownPath(out.MediaURL)
	if err := out.check(time.Now()); err != nil {
		return store.Message{}, err
	}
	if err := s.checkCallback(out); err != nil {
		return store.Message{}, err
	}
	return s.submit(ctx, p, out.Once, func(*store.Tx) (Outgoing, error) { return out, nil })
}

// submit stores the message that what describes, the answer to the request and, where
// the line's relay is connected and may send, the assignment, in one transaction.
func (s *Service) submit(ctx context.Context, p Principal, once *Once, what func(*store.Tx) (Outgoing, error)) (store.Message, error) {
	now := time.Now()
	var m store.Message
	var relay *session
	var granted []store.Message
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		// A key that is revoked ends what is in flight too.
		p, err := stillGood(tx.Context(), tx, p)
		if err != nil {
			return err
		}
		if err := s.replay(tx.Context(), tx, p, once); err != nil {
			return err
		}
		out, err := what(tx)
		if err != nil {
			return err
		}
		line, err := lineOf(tx, p.Account.ID, out.From)
		if err != nil {
			return err
		}
		if m, err = s.compose(tx, p, line, out, now); err != nil {
			return err
		}
		if err := once.remember(tx, p, m, now); err != nil {
			return err
		}
		if relay = s.hub.serving(out.From); relay != nil {
			// A relay that is connected gets it by the same commit.
			granted, err = relay.grant(tx, line, now)
		}
		fault.Before(fault.CloudCreate)
		return err
	})
	if err != nil {
		s.seenAgain(ctx, p, once, err)
		return store.Message{}, fmt.Errorf("store a message: %w", err)
	}
	s.metrics.accepted.Inc()
	fault.After(fault.CloudCreate)
	if relay != nil {
		relay.hand(granted)
	} else {
		s.hub.ring(m.From) // one may have come meanwhile
	}
	return m, nil
}

// compose makes the message. Whatever is wrong with the request is said before what the
// plan does not include.
func (s *Service) compose(tx *store.Tx, p Principal, line store.Line, out Outgoing, now time.Time) (m store.Message, err error) {
	if err := out.checkGroup(tx, line); err != nil {
		return m, err
	}
	declined, err := out.declined(tx, p.Account.ID)
	if err != nil {
		return m, err
	}
	if err := s.checkOwnFile(tx, p.Account.ID, out, now); err != nil {
		return m, err
	}
	host, err := s.hostOf(tx, p.Account.ID, out, now)
	if err != nil {
		return m, err
	}
	if declined {
		if err := withinMinute(tx, p.Account, true, now); err != nil {
			return m, err
		}
		return s.storeDeclined(tx, out.message(line, now), out, host)
	}
	if err := withinPlan(tx, p.Account, out, now); err != nil {
		return m, err
	}
	if m, err = s.begin(tx, out.message(line, now)); err != nil {
		return m, err
	}
	if err := s.attach(tx, m, out, now); err != nil {
		return m, err
	}
	return m, out.keepCallback(tx, m, host)
}

func (o Outgoing) message(line store.Line, now time.Time) store.Message {
	to := cmp.Or(o.Group, o.To)
	requested := cmp.Or(o.Service, wire.ServiceAuto)
	return store.Message{
		ID: newMessageID(now), AccountID: line.AccountID, LineID: line.ID, Direction: store.Outbound, Status: wire.Queued,
		From: o.From, To: to, Peer: to, ChatGUID: o.Group, Content: o.Content, CreatedAt: now.UnixMilli(),
		Service: shown(requested), Requested: requested, MediaURL: o.MediaURL, AwaitsMedia: o.MediaURL != "",
		ExpiresAt: o.ExpiresAt, ResendOf: o.resendOf,
	}
}

func (o Outgoing) check(now time.Time) error {
	if err := o.checkTarget(); err != nil {
		return err
	}
	if o.MediaURL != "" && !o.ownFile {
		if err := checkMediaURL(o.MediaURL); err != nil {
			return err
		}
	}
	switch {
	case !ValidNumber(o.From):
		return Invalid("from", "The 'from' field must be a valid E.164 phone number")
	case o.Content == "" && o.NeedsText:
		return Invalid("content", "The 'content' field is required.")
	case o.Content == "" && o.MediaURL == "":
		return Invalid("content", "One of the fields 'content' and 'media_url' is required.")
	case !utf8.ValidString(o.Content):
		return Invalid("content", "The 'content' field must be valid UTF-8.")
	case strings.ContainsRune(o.Content, 0):
		return Invalid("content", "The 'content' field must not contain a NUL character.")
	}
	return checkExpiry(o.ExpiresAt, now)
}

// checkExpiry refuses a time that leaves none.
func checkExpiry(at int64, now time.Time) error {
	if at != 0 && at <= now.UnixMilli() {
		return Invalid("expires_at", "The 'expires_at' field must be a time in the future.")
	}
	return nil
}

// lineOf finds the line that an account sends from.
func lineOf(tx *store.Tx, accountID, number string) (store.Line, error) {
	line, err := tx.LineByNumber(tx.Context(), number)
	if errors.Is(err, store.ErrNotFound) || err == nil && (line.AccountID != accountID || !line.Verified) {
		return line, Invalid("from", `The "from" number is not registered or verified for this team`)
	}
	if err == nil && line.Status == store.LinePaused {
		return line, Invalid("from", `The "from" number is currently paused`)
	}
	return line, err
}
