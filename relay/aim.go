package relay

import (
	"context"
	"errors"
	"fmt"

	"bluerelay/applescript"
	"bluerelay/chatdb"
)

// errNoChatDB says that there is no open chat.db at the moment; the observer keeps
// trying and has told the cloud why.
var errNoChatDB = errors.New("chat.db cannot be read")

// aim chooses how the target is named and takes the mark above which the row of
// this send will be: an existing conversation by the guid that chat.db holds, else
// the person. A guid is never made up: macOS 26 spells them in other ways than
// those before it.
func (s *sender) aim(ctx context.Context, one *send, req *applescript.Request) (chatdb.Mark, error) {
	db, done := s.borrowDB()
	defer done()
	if db == nil {
		return chatdb.Mark{}, errNoChatDB
	}
	if !one.noChat {
		chats, err := db.DirectChats(ctx, one.handle)
		if err != nil {
			return chatdb.Mark{}, fmt.Errorf("look for the conversation: %w", err)
		}
		for _, c := range chats {
			if c.LastService == one.service || c.LastService == "" && c.Service == one.service {
				req.Kind, req.Target = applescript.Chat, c.GUID
				break
			}
		}
	}
	mark, err := db.Mark(ctx)
	if err != nil {
		return chatdb.Mark{}, fmt.Errorf("take the mark: %w", err)
	}
	return mark, nil
}
