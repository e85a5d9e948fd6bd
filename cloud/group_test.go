package cloud

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"bluerelay/cloud/store"
)

// countedGroups are groups in which everybody is called after the chat. It counts how often
// it is read.
type countedGroups struct{ reads int }

func (c *countedGroups) Participants(_ context.Context, groups ...store.GroupKey) (map[store.GroupKey][]store.Participant, error) {
	c.reads++
	all := make(map[store.GroupKey][]store.Participant)
	for _, g := range groups {
		all[g] = []store.Participant{{Address: "z" + g.Chat, In: 1}, {Address: "a" + g.Chat, In: 1}, {Address: "gone" + g.Chat, In: 1, Out: 2}}
	}
	return all, nil
}

func (c *countedGroups) GroupNames(_ context.Context, groups ...store.GroupKey) (map[store.GroupKey]string, error) {
	c.reads++
	names := make(map[store.GroupKey]string)
	for _, g := range groups {
		names[g] = g.LineID + g.Chat
	}
	return names, nil
}

// A page costs two reads, however many groups its messages are of, and none without any.
func TestGroupsOfAPageAreReadAtOnce(t *testing.T) {
	var c countedGroups
	person := store.Message{LineID: "l0", Direction: store.Inbound, From: "p", Peer: "p"}
	var list []store.Message
	for i := range 100 {
		chat := fmt.Sprint("chat", i/2)
		list = append(list, store.Message{LineID: fmt.Sprint("l", i%2), Direction: store.Inbound, From: "p", Peer: chat, ChatGUID: chat})
	}
	list = append(list, person)
	if err := markGroups(t.Context(), &c, list); err != nil || c.reads != 2 {
		t.Errorf("%d reads, %v", c.reads, err)
	}
	for i, m := range list[:100] {
		chat := fmt.Sprint("chat", i/2)
		if !reflect.DeepEqual(m.Participants, []string{"a" + chat, "z" + chat}) || m.GroupName != fmt.Sprint("l", i%2, chat) {
			t.Errorf("%+v", m)
		}
	}
	if !reflect.DeepEqual(list[100], person) {
		t.Errorf("%+v", list[100])
	}
	c.reads = 0
	if err := markGroups(t.Context(), &c, []store.Message{person}); err != nil || c.reads != 0 {
		t.Errorf("%d reads, %v", c.reads, err)
	}
}
