package chatdb

// GroupEvent is something that happened to a group, or to a call or a location
// that is shared in a chat. Messages keeps it as a row among the messages; it has
// no text.
type GroupEvent struct {
	Kind  string // joined, left, removed, renamed, photo_set, photo_removed, background_set, background_removed, number_changed, location, call, audio_kept; other
	Who   string // handle of who did it; empty where the owner did
	Other string // handle of whom it was done to: who joined or was removed
	Title string // new name of the group; empty where it was taken away
}

// The values of item_type beside 0, which is a message.
const (
	itemParticipant = 1
	itemName        = 2
	itemGroup       = 3
	itemLocation    = 4
	itemAudio       = 5
	itemCall        = 6
)

// groupEventOf reads a row that is no message; nil for one that is.
func groupEventOf(item, action int, who, other, title string) *GroupEvent {
	e := &GroupEvent{Kind: "other", Who: who, Other: other}
	switch item {
	case 0:
		return nil
	case itemParticipant:
		switch {
		case action == 0 && who != "" && who == other:
			e.Kind = "number_changed"
		case action == 0:
			e.Kind = "joined"
		case action == 1:
			e.Kind = "removed"
		}
	case itemName:
		e.Kind, e.Title = "renamed", title
	case itemGroup:
		actions := map[int]string{0: "left", 1: "photo_set", 2: "photo_removed", 4: "background_set", 6: "background_removed"}
		if kind, ok := actions[action]; ok {
			e.Kind = kind
		}
	case itemLocation:
		e.Kind = "location"
	case itemAudio:
		e.Kind = "audio_kept"
	case itemCall:
		e.Kind = "call"
	}
	return e
}
