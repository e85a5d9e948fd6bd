package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// OptedOut is the error code of a message that was not sent because its recipient wants
// none.
const OptedOut = store.CodeOptedOut

// optedOutText is what is said of such a message.
const optedOutText = "The recipient has opted out of messages from this account."

// The words by which people opt out and in again, unless an account has chosen others:
// those that US carriers know, and those of 47 CFR 64.1200(a)(10). YES is none of them:
// it answers many a question that has nothing to do with this.
var (
	optOutWords = []string{"STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "OPT OUT", "REVOKE"}
	optInWords  = []string{"START", "UNSTOP"}
)

// The limits of an account's own words.
const (
	maxWords = 50
	maxWord  = 40 // characters
)

// ConsentWords are the words of an account.
func (s *Service) ConsentWords(ctx context.Context, accountID string) (store.ConsentWords, error) {
	return wordsOf(ctx, s.store, accountID)
}

type wordReader interface {
	ConsentWords(ctx context.Context, accountID string) (store.ConsentWords, error)
}

func wordsOf(ctx context.Context, r wordReader, accountID string) (store.ConsentWords, error) {
	w, err := r.ConsentWords(ctx, accountID)
	if errors.Is(err, store.ErrNotFound) {
		return store.ConsentWords{OptOut: optOutWords, OptIn: optInWords}, nil
	}
	return w, err
}

// SetConsentWords chooses an account's words: nil leaves them, UsualWords brings the
// usual ones back, and an empty list switches that off.
func (s *Service) SetConsentWords(ctx context.Context, accountID string, optOut, optIn []string) (store.ConsentWords, error) {
	if optOut == nil && optIn == nil {
		return s.ConsentWords(ctx, accountID)
	}
	var w store.ConsentWords
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if w, err = wordsOf(tx.Context(), tx, accountID); err != nil {
			return err
		}
		if w.OptOut, err = chooseWords(w.OptOut, optOut, optOutWords); err != nil {
			return err
		}
		if w.OptIn, err = chooseWords(w.OptIn, optIn, optInWords); err != nil {
			return err
		}
		if slices.ContainsFunc(w.OptOut, func(word string) bool { return isOneOf(word, w.OptIn) }) {
			return errors.New("the same word cannot mean both opting out and opting in")
		}
		return tx.SetConsentWords(accountID, w)
	})
	return w, err
}

// UsualWords stand for the words that an account has from the beginning.
var UsualWords = []string{"default"}

func chooseWords(old, chosen, usual []string) ([]string, error) {
	switch {
	case chosen == nil:
		return old, nil
	case slices.Equal(chosen, UsualWords):
		return usual, nil
	case len(chosen) > maxWords:
		return nil, fmt.Errorf("at most %d words can be chosen", maxWords)
	}
	words := make([]string, len(chosen))
	for i, word := range chosen {
		words[i] = plainWords(word)
		if words[i] == "" || !plainNote(words[i], maxWord) {
			return nil, fmt.Errorf("a word must have 1 to %d characters", maxWord)
		}
	}
	return words, nil
}

// plainWords is a text without what people and keyboards put around a word: spaces, a
// full stop, an exclamation mark, quotes.
func plainWords(text string) string {
	return strings.Join(strings.Fields(strings.Trim(strings.TrimSpace(text), ".!\"'“”‘’«» \u00a0")), " ")
}

// isOneOf tells whether a text is, as a whole, one of some words, in capitals or not.
func isOneOf(text string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.EqualFold(text, word) })
}

// wish is what a message says about being written to.
type wish int

const (
	noWish wish = iota
	wantsNone
	wantsAgain
)

// wishOf reads it. Only a text and nothing else, from one person to a line, counts; where
// Messages has not said yet whose conversation it is, it may still be a group's.
func wishOf(tx *store.Tx, m store.Message, in *wire.Inbound) (wish, error) {
	if m.Direction != store.Inbound || m.ChatGUID == "" || m.Peer != m.From || in.Attachments > 0 || len(in.Media) > 0 || !reachable(m.From) {
		return noWish, nil
	}
	text := m.Content
	if len(text) > 8*maxWord { // spared a look at the table
		return noWish, nil
	}
	words, err := wordsOf(tx.Context(), tx, m.AccountID)
	if err != nil {
		return noWish, err
	}
	switch text = plainWords(text); {
	case isOneOf(text, words.OptOut):
		return wantsNone, nil
	case isOneOf(text, words.OptIn):
		return wantsAgain, nil
	}
	return noWish, nil
}

// reachable tells whether something could be sent to an address at all.
func reachable(address string) bool { return ValidNumber(address) || validAddress(address) }

// heed writes down what a message says about being written to, before anybody is told of
// it. obey does what follows.
func (s *Service) heed(tx *store.Tx, m store.Message, in *wire.Inbound, now time.Time) (wish, error) {
	said, err := wishOf(tx, m, in)
	if err != nil || said == noWish {
		return noWish, err
	}
	c := store.Consent{ContactID: newID(contactPrefix), AccountID: m.AccountID, Address: lowerAddress(m.From), MessageID: m.ID, At: now.UnixMilli()}
	if said == wantsNone {
		err = tx.OptOut(c)
	} else {
		_, err = tx.OptIn(c)
	}
	return said, err
}

// obey ends what waits for a person who has just opted out.
func (s *Service) obey(tx *store.Tx, said wish, m store.Message, now time.Time) error {
	if said != wantsNone {
		return nil
	}
	return s.withhold(tx, m.AccountID, lowerAddress(m.From), withheldNow, now)
}

// withhold ends what is still to be sent to an address: no more than most messages of the
// first lines and one of each other, and the sweep what is left. What a Mac has already, it
// is asked to give up: what it had begun by then cannot be stopped.
func (s *Service) withhold(tx *store.Tx, accountID, address string, most int, now time.Time) error {
	lines, err := tx.Lines(tx.Context(), accountID)
	if err != nil {
		return err
	}
	ended := 0
	for _, line := range lines {
		open, err := tx.OpenTo(tx.Context(), line.ID, address, max(most-ended, 0)+1) // one may be with a Mac
		if err != nil {
			return err
		}
		for _, m := range open {
			if err := s.withholdOne(tx, m, now); err != nil {
				return err
			}
			if m.InstallID == "" {
				ended++
			}
		}
	}
	return left(tx, store.Ending{AccountID: accountID, Address: address}, ended >= most)
}

func (s *Service) withholdOne(tx *store.Tx, m store.Message, now time.Time) error {
	if m.InstallID == "" {
		step := store.Step{ID: m.ID, At: now.UnixMilli(), Now: now.UnixMilli()}
		decline(&step)
		tx.OnCommit(func() {
			s.dispatch.ring()
			s.hub.ring(m.From)
		})
		return s.advance(tx, step)
	}
	m, asked, err := tx.RequestCancel(m, now.UnixMilli())
	if err != nil || !asked {
		return err
	}
	tx.OnCommit(func() {
		if relay := s.hub.serving(m.From); relay != nil && relay.install == m.InstallID {
			relay.hand([]store.Message{m})
		}
	})
	return nil
}

// decline makes a step the one that ends a message because its recipient wants none.
func decline(step *store.Step) {
	step.To, step.Evidence = wire.StatusFailed, store.EvidenceConsent
	step.ErrorCode, step.ErrorNumber, step.ErrorMessage = OptedOut, 0, optedOutText
}

// declined tells whether the recipient of a message wants none; where such a message is
// not to be kept, that is an error.
func (o Outgoing) declined(tx *store.Tx, accountID string) (bool, error) {
	if o.Group != "" {
		return false, nil
	}
	list, err := tx.OptedOut(tx.Context(), accountID, o.To)
	if err != nil || len(list) == 0 {
		return false, err
	}
	if !o.KeepDeclined {
		return false, Invalid("to", "The 'to' recipient has opted out of messages from this account.")
	}
	return true, nil
}

// storeDeclined stores a message that its recipient does not want, as one that has failed.
// host is that of its callback.
func (s *Service) storeDeclined(tx *store.Tx, m store.Message, out Outgoing, host store.Webhook) (store.Message, error) {
	m.Status, m.ErrorCode, m.ErrorMessage, m.AwaitsMedia, m.OptedOut = wire.StatusFailed, OptedOut, optedOutText, false, true
	m, err := s.begin(tx, m)
	if err != nil {
		return m, err
	}
	if err := out.keepCallback(tx, m, host); err != nil {
		return m, err
	}
	tx.OnCommit(s.dispatch.ring)
	return m, s.record(tx, m)
}

// isOptedOut tells whether a message is with a person who has opted out.
func isOptedOut(tx *store.Tx, m store.Message) (bool, error) {
	list, err := tx.OptedOut(tx.Context(), m.AccountID, lowerAddress(m.Peer))
	return len(list) > 0, err
}

// Mark sets what messages tell of people, OptedOut, Participants and GroupName, as it is
// now.
func (s *Service) Mark(ctx context.Context, p Principal, list []store.Message) error {
	if len(list) == 0 {
		return nil
	}
	people := make([]string, len(list))
	for i, m := range list {
		people[i] = lowerAddress(m.Peer)
	}
	slices.Sort(people)
	out, err := s.store.OptedOut(ctx, p.Account.ID, slices.Compact(people)...)
	if err != nil {
		return fmt.Errorf("look who has opted out: %w", err)
	}
	for i, m := range list {
		list[i].OptedOut = slices.Contains(out, lowerAddress(m.Peer))
	}
	return markGroups(ctx, s.store, list)
}
