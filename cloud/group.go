package cloud

import (
	"context"
	"fmt"
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
		list, err := s.store.Contacts(ctx, contactNamed(p.Account.ID, who))
		if err != nil {
			return g, err
		}
		if len(list) > 0 {
			g.Contacts[who] = list[0]
		}
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
	list, err := s.store.Participants(ctx, line.ID, g.ID)
	if err != nil {
		return false, err
	}
	for _, one := range list {
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

// groupReader reads what is known of a group: the store, or a transaction.
type groupReader interface {
	Participants(ctx context.Context, lineID, chat string) ([]store.Participant, error)
	GroupName(ctx context.Context, lineID, chat string) (string, error)
}

// markGroups sets Participants and GroupName of messages of groups as they are now.
func markGroups(ctx context.Context, from groupReader, list []store.Message) error {
	type group struct{ line, chat string }
	known := make(map[group]store.Message)
	for i, m := range list {
		if !m.InGroup() {
			continue
		}
		key := group{m.LineID, m.Peer}
		like, ok := known[key]
		if !ok {
			found := make(members)
			all, err := from.Participants(ctx, m.LineID, m.Peer)
			if err != nil {
				return fmt.Errorf("read who is in a group: %w", err)
			}
			for _, one := range all {
				found.add(one)
			}
			like.Participants = found.present()
			if like.GroupName, err = from.GroupName(ctx, m.LineID, m.Peer); err != nil {
				return fmt.Errorf("read the name of a group: %w", err)
			}
			known[key] = like
		}
		list[i].Participants, list[i].GroupName = like.Participants, like.GroupName
	}
	return nil
}

// withGroup is markGroups for one message of a transaction.
func withGroup(tx *store.Tx, m store.Message) (store.Message, error) {
	one := []store.Message{m}
	err := markGroups(tx.Context(), tx, one)
	return one[0], err
}
