package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"bluerelay/cloud/store"
)

// Group is a conversation of several people, as far as it is known from what was written
// in it and from what Messages has said of it. Who has never written and was there from
// the beginning is missing.
type Group struct {
	ID        string   // Messages' guid of the chat
	Lines     []string // numbers of the account that are in it
	Name      string   // "" where it was never named, or not while we were looking
	Members   []string // the others, in alphabetical order
	Contacts  map[string]store.Contact
	FirstSeen int64 // Unix ms
	UpdatedAt int64 // Unix ms: the last message, or change of the group
	LastSaid  int64 // Unix ms: the last message, 0 for none
}

// Group returns a group that one of the account's lines is in, or ErrNotFound.
func (s *Service) Group(ctx context.Context, p Principal, guid string) (Group, error) {
	g := Group{ID: guid, Contacts: make(map[string]store.Contact)}
	lines, err := s.store.Lines(ctx, p.Account.ID)
	if err != nil {
		return g, err
	}
	found := make(members)
	for _, line := range lines {
		known, err := s.gather(ctx, &g, line, found)
		if err != nil {
			return g, err
		}
		if known {
			g.Lines = append(g.Lines, line.PhoneNumber)
		}
	}
	if len(g.Lines) == 0 {
		return g, store.ErrNotFound
	}
	g.Members = found.present()
	for _, who := range g.Members {
		c, err := s.store.Contact(ctx, p.Account.ID, lowerAddress(who))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return g, err
		}
		g.Contacts[who] = c
	}
	return g, nil
}

// gather reads what one line knows of a group.
func (s *Service) gather(ctx context.Context, g *Group, line store.Line, found members) (known bool, err error) {
	group, err := s.store.HasGroup(ctx, line.ID, g.ID)
	if err != nil {
		return false, err
	}
	changes, err := s.store.GroupChanges(ctx, line.ID, g.ID)
	if err != nil || !group && len(changes) == 0 {
		return false, err
	}
	first, last, err := s.store.GroupSpan(ctx, line.ID, g.ID)
	if err != nil {
		return false, err
	}
	g.seen(first)
	g.seen(last)
	g.LastSaid = max(g.LastSaid, last)
	key := store.GroupKey{LineID: line.ID, Chat: g.ID}
	all, err := s.store.Participants(ctx, key)
	if err != nil {
		return false, err
	}
	for _, one := range all[key] {
		found.add(one)
	}
	for _, c := range changes {
		g.seen(c.MadeAt)
		if c.Kind == "renamed" {
			g.Name = c.Name
		}
	}
	return true, nil
}

func (g *Group) seen(at int64) {
	if g.FirstSeen == 0 || at < g.FirstSeen {
		g.FirstSeen = at
	}
	g.UpdatedAt = max(g.UpdatedAt, at)
}

// members is when each was last known to be in a group, and out of it.
type members map[string]store.Participant

// add joins what one line knows with what others do.
func (m members) add(one store.Participant) {
	known := m[one.Address]
	m[one.Address] = store.Participant{Address: one.Address, In: max(known.In, one.In), Out: max(known.Out, one.Out)}
}

func (m members) present() []string {
	list := []string{}
	for who, one := range m {
		if one.In > one.Out {
			list = append(list, who)
		}
	}
	slices.Sort(list)
	return list
}

// groupReader reads what is known of groups: the store, or a transaction.
type groupReader interface {
	Participants(ctx context.Context, groups ...store.GroupKey) (map[store.GroupKey][]store.Participant, error)
	GroupNames(ctx context.Context, groups ...store.GroupKey) (map[store.GroupKey]string, error)
}

// markGroups sets Participants and GroupName of messages of groups as they are now. All
// groups of a page are read at once.
func markGroups(ctx context.Context, from groupReader, list []store.Message) error {
	present := make(map[store.GroupKey][]string)
	for _, m := range list {
		if m.InGroup() {
			present[groupOf(m)] = nil
		}
	}
	groups := slices.Collect(maps.Keys(present))
	if len(groups) == 0 {
		return nil
	}
	all, err := from.Participants(ctx, groups...)
	if err != nil {
		return fmt.Errorf("read who is in a group: %w", err)
	}
	names, err := from.GroupNames(ctx, groups...)
	if err != nil {
		return fmt.Errorf("read the name of a group: %w", err)
	}
	for _, g := range groups {
		found := make(members)
		for _, one := range all[g] {
			found.add(one)
		}
		present[g] = found.present()
	}
	for i, m := range list {
		if m.InGroup() {
			list[i].Participants, list[i].GroupName = present[groupOf(m)], names[groupOf(m)]
		}
	}
	return nil
}

// groupOf is the group of a message that is in one.
func groupOf(m store.Message) store.GroupKey { return store.GroupKey{LineID: m.LineID, Chat: m.Peer} }

// withGroup is markGroups for one message of a transaction.
func withGroup(tx *store.Tx, m store.Message) (store.Message, error) {
	one := []store.Message{m}
	err := markGroups(tx.Context(), tx, one)
	return one[0], err
}
