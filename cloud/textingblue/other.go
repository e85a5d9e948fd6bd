package textingblue

import "bluerelay/cloud/store"

// groupChange is the data of group.updated.
type groupChange struct {
	ID        string  `json:"id"`
	NumberID  string  `json:"number_id"`
	GroupID   string  `json:"group_id"`
	Change    string  `json:"change"`           // joined, left, removed, renamed, photo_set, photo_removed
	By        *string `json:"by"`               // null for the owner
	Member    string  `json:"member,omitempty"` // who joined, or was removed
	Name      *string `json:"name,omitempty"`   // of renamed
	CreatedAt *string `json:"created_at"`
}

// relayState is the data of relay.online, relay.offline, relay.ready and relay.attention.
type relayState struct {
	RelayID   string  `json:"relay_id"`
	NumberID  string  `json:"number_id"`
	Host      *string `json:"device_name"`
	Connected bool    `json:"connected"`
	Ready     bool    `json:"ready"`
	// Code is, of relay.attention, what a person should look at.
	Code      string `json:"code,omitempty"`
	Reason    string `json:"reason,omitempty"`
	MessageID string `json:"message_id,omitempty"`
}

// renderOther renders the data of an event that is about no message.
func renderOther(e store.Event) any {
	if g := e.Group; g != nil {
		out := groupChange{ID: g.ID, NumberID: e.LineID, GroupID: g.ChatGUID, Change: g.Kind, By: text(g.Who), Member: g.Other, CreatedAt: stamp(g.MadeAt)}
		if g.Kind == "renamed" {
			out.Name = &g.Name
		}
		return out
	}
	if e.RelayID == "" {
		return renderShort(*e.Line)
	}
	return relayState{
		RelayID: e.Relay.ID, NumberID: e.LineID, Host: text(e.Relay.Host), Connected: e.Relay.Connected, Ready: e.Relay.Connected && e.Relay.Ready,
		Code: e.Detail, Reason: e.Relay.Reason, MessageID: e.MessageID,
	}
}
