package cloud

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"bluerelay/cloud/store"
)

// Message returns one message of the account, or ErrNotFound.
func (s *Service) Message(ctx context.Context, p Principal, id string) (store.Message, error) {
	m, err := visible(s.store.Message(ctx, p.Account.ID, id))
	return s.absolute(m), err
}

// MessageOrAside returns what Message does, and asides too.
func (s *Service) MessageOrAside(ctx context.Context, p Principal, id string) (store.Message, error) {
	m, err := kept(s.store.Message(ctx, p.Account.ID, id))
	return s.absolute(m), err
}

// visible keeps from everybody what was deleted, and asides, which only some ask for.
func visible(m store.Message, err error) (store.Message, error) {
	if m, err = kept(m, err); err == nil && m.Aside {
		return store.Message{}, store.ErrNotFound
	}
	return m, err
}

// kept keeps a message that was deleted from everybody.
func kept(m store.Message, err error) (store.Message, error) {
	if err == nil && m.HiddenAt != 0 {
		return store.Message{}, store.ErrNotFound
	}
	return m, err
}

// Timeline returns one message of the account and all that became of it, oldest first.
func (s *Service) Timeline(ctx context.Context, p Principal, id string) (store.Message, []store.TimelineEntry, error) {
	m, err := s.Message(ctx, p, id)
	if err != nil {
		return m, nil, err
	}
	list, err := s.store.Timeline(ctx, m)
	return m, list, err
}

// Messages returns a page in the order of the filter, and whether there is more. cursor
// is the id of the last message of the page before, "" for the first page.
func (s *Service) Messages(ctx context.Context, p Principal, f store.MessageFilter, cursor string) (list []store.Message, more bool, err error) {
	f.AccountID = p.Account.ID
	lowerParties(&f)
	if cursor != "" {
		// One that was deleted since is a place in the list all the same.
		last, err := s.store.Message(ctx, p.Account.ID, cursor)
		if errors.Is(err, store.ErrNotFound) {
			return nil, false, Invalid("cursor", "The 'cursor' parameter is not one of this server's")
		}
		if err != nil {
			return nil, false, err
		}
		f.Before = &last
	}
	limit := f.Limit
	f.Limit++
	list, err = s.store.Messages(ctx, f)
	if err != nil {
		return nil, false, fmt.Errorf("list messages: %w", err)
	}
	list = s.allAbsolute(list)
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

// Page returns a page of f.Limit messages after f.Offset of them, in the order of the
// filter, and how many there are in all, exactly. AccountID and Before are not the
// caller's to set.
func (s *Service) Page(ctx context.Context, p Principal, f store.MessageFilter) (list []store.Message, total int64, err error) {
	f.AccountID, f.Before = p.Account.ID, nil
	lowerParties(&f)
	list, total, err = s.store.Page(ctx, f)
	if err != nil {
		return nil, 0, fmt.Errorf("list messages: %w", err)
	}
	return s.allAbsolute(list), total, nil
}

// lowerParties has people looked for by their e-mail addresses as these are stored.
func lowerParties(f *store.MessageFilter) {
	f.From, f.To, f.Number = lowerAddress(f.From), lowerAddress(f.To), lowerAddress(f.Number)
}

func (s *Service) allAbsolute(list []store.Message) []store.Message {
	for i, m := range list {
		list[i] = s.absolute(m)
	}
	return list
}

// maxSearch is the length of what is searched for, in characters.
const maxSearch = 200

// SearchText checks what somebody searches for, the parameter q. Nothing is fine: it
// does not filter.
func SearchText(q string) (string, error) {
	switch {
	case q == "":
	case !utf8.ValidString(q) || utf8.RuneCountInString(q) > maxSearch:
		return "", Invalid("q", "The 'q' parameter must not exceed %d characters of UTF-8.", maxSearch)
	case len(store.Words(q)) == 0:
		return "", Invalid("q", "The 'q' parameter must contain a letter or a digit.")
	}
	return q, nil
}
