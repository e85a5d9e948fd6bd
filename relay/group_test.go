package relay

import (
	"maps"
	"testing"
	"time"

	"bluerelay/wire"
)

const friends = "any;+;chat7"

// event adds an event of a group by alice.
func (s *story) event(guid string, item, action int, more columns) {
	s.t.Helper()
	c := columns{"item_type": item, "group_action_type": action}
	maps.Copy(c, more)
	s.row(guid, c)
}

func TestGroupEvents(t *testing.T) {
	s := newStory(t)
	s.exec("INSERT INTO handle (ROWID, id, service) VALUES (77, ?, 'iMessage')", bob)
	for _, tt := range []struct {
		name         string
		item, action int
		more         columns
		want         wire.Group
	}{
		{"joined", 1, 0, columns{"other_handle": 77}, wire.Group{Who: alice, Other: bob}},
		{"removed", 1, 1, columns{"other_handle": 77}, wire.Group{Who: alice, Other: bob}},
		{"renamed", 2, 0, columns{"group_title": "Friends"}, wire.Group{Who: alice, Name: "Friends"}},
		{"renamed", 2, 0, columns{"group_title": nil}, wire.Group{Who: alice}},
		{"left", 3, 0, nil, wire.Group{Who: alice}},
		{"photo_set", 3, 1, nil, wire.Group{Who: alice}},
		{"photo_removed", 3, 2, columns{"is_from_me": 1, "handle": ""}, wire.Group{}},
	} {
		guid := "E-" + tt.name + time.Now().String()
		s.event(guid, tt.item, tt.action, tt.more)
		s.join(guid, friends)
		r := s.last()
		tt.want.Chat, tt.want.Event = friends, tt.name
		if r.Kind != wire.Grouped || r.GUID != guid || r.At == 0 || r.Group == nil || *r.Group != tt.want {
			t.Errorf("%s: %+v %+v", tt.name, r, r.Group)
		}
		s.wants()
		s.restart()
		s.wants()
	}
}

// An event waits for its chat like a message, is told once, also across a restart, and
// is nothing where it is old, of no group, or out of scope.
func TestGroupEventsOnce(t *testing.T) {
	s := newStory(t)
	s.event("LATE", 2, 0, columns{"group_title": "Friends"})
	s.wants()
	s.restart()
	s.join("LATE", friends)
	s.wants("group LATE")
	s.set("LATE", "is_read = 1")
	s.restart()
	s.wants()

	s.event("DIRECT", 2, 0, nil)
	s.join("DIRECT", direct)
	s.event("OLD", 2, 0, columns{"date": apple(time.Now().Add(-30 * 24 * time.Hour))})
	s.join("OLD", friends)
	s.event("NEVER", 2, 0, nil)
	s.event("CALL", 6, 0, nil)
	s.join("CALL", friends)
	s.impatient()
	s.wants()

	s.o = s.look(s.j, Credential{Scope: ScopeAllow, Allow: []string{bob}})
	s.event("NOT-BOB", 3, 0, nil)
	s.join("NOT-BOB", friends)
	s.event("BOB", 3, 0, columns{"handle": bob})
	s.join("BOB", friends)
	s.wants("group BOB")
}
