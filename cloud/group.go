package cloud

import (
	"context"
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
	said, err := s.store.Presences(ctx, line.ID, g.ID)
	if err != nil {
		return false, err
	}
	for _, one := range said {
		g.seen(one.First)
		g.seen(one.Last)
		g.LastSaid = max(g.LastSaid, one.Last)
		if !one.Own {
			found.in(one.Address, one.Last)
		}
	}
	for _, c := range changes {
		g.seen(c.MadeAt)
		found.change(c)
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
type members map[string]struct{ in, out int64 }

func (m members) in(who string, at int64) {
	if who != "" {
		one := m[who]
		one.in = max(one.in, at)
		m[who] = one
	}
}

func (m members) out(who string, at int64) {
	if who != "" {
		one := m[who]
		one.out = max(one.out, at)
		m[who] = one
	}
}

// change notes who was there. Whoever does something to a group is in it.
func (m members) change(c store.GroupChange) {
	switch c.Kind {
	case "left":
		m.out(c.Who, c.MadeAt)
		return
	case "joined":
		m.in(c.Other, c.MadeAt)
	case "removed":
		m.out(c.Other, c.MadeAt)
	}
	m.in(c.Who, c.MadeAt)
}

func (m members) present() []string {
	list := []string{}
	for who, when := range m {
		if when.in > when.out {
			list = append(list, who)
		}
	}
	slices.Sort(list)
	return list
}
