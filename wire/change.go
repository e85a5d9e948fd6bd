package wire

// Change is what a message has become. Each edit and each unsend has a higher
// Version than the one before it, so that none counts twice, whoever reports it.
type Change struct {
	Version int64  `json:"version"`
	At      int64  `json:"at"`   // Unix ms
	Text    string `json:"text"` // what the message says now
	// Edits are, of Edited, the texts of the parts that were edited, the first and the
	// present ones included, oldest first within each part.
	Edits []Edit `json:"edits,omitempty"`
	// Parts are, of Unsent, the numbers of the parts that are gone by now; Whole says
	// that nothing is left.
	Parts []int `json:"parts,omitempty"`
	Whole bool  `json:"whole,omitempty"`
}

// Edit is one text that a part of a message had.
type Edit struct {
	Part int    `json:"part"`
	Text string `json:"text"`
	At   int64  `json:"at"` // Unix ms
}

// Tapback is a reaction to a message. The report's GUID is that of its own row.
type Tapback struct {
	Target  string `json:"target"`         // Apple guid of the message
	Part    int    `json:"part"`           // of the message, from 0; -1 for the whole
	From    string `json:"from,omitempty"` // handle; empty where Own
	Own     bool   `json:"own,omitempty"`  // by the owner, on a device of his own
	Kind    string `json:"kind"`           // love, like, dislike, laugh, emphasize, question, emoji, sticker
	Emoji   string `json:"emoji,omitempty"`
	Removed bool   `json:"removed,omitempty"`
}

// Group is what happened to a group. The report's GUID is that of its own row.
type Group struct {
	Chat  string `json:"chat"`            // chat guid
	Event string `json:"event"`           // joined, left, removed, renamed, photo_set, photo_removed
	Who   string `json:"who,omitempty"`   // handle of who did it; empty where the owner did
	Other string `json:"other,omitempty"` // handle of whom it was done to, of joined and removed
	Name  string `json:"name,omitempty"`  // of renamed; empty where the name was taken away
}
