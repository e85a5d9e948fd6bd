package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"bluerelay/applescript"
	"bluerelay/chatdb"
	"bluerelay/wire"
)

// errNoChatDB says that there is no open chat.db at the moment; the observer keeps
// trying and has told the cloud why.
var errNoChatDB = errors.New("chat.db cannot be read")

// refused says that an order cannot be carried out as it is, and why.
type refused struct{ wire.Fault }

func (r *refused) Error() string { return r.Text }

// anyService is the service of a send to a chat: the chat has its own.
const anyService = "any"

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
	if err := s.reconsider(ctx, db, one); err != nil {
		return chatdb.Mark{}, err
	}
	target := aimAtPerson
	if one.chat != "" {
		target = aimAtGroup
	}
	if err := target(ctx, db, one, req); err != nil {
		return chatdb.Mark{}, err
	}
	mark, err := db.Mark(ctx)
	if err != nil {
		return chatdb.Mark{}, fmt.Errorf("take the mark: %w", err)
	}
	return mark, nil
}

// aimAtGroup takes a group by its guid, and no other way.
func aimAtGroup(ctx context.Context, db *chatdb.DB, one *send, req *applescript.Request) error {
	chat, err := db.ChatNamed(ctx, one.chat)
	if err != nil {
		return fmt.Errorf("look for the group: %w", err)
	}
	if chat == nil || !chat.Group() {
		return &refused{wire.Fault{Code: string(applescript.NoTarget), Text: "Messages on this Mac has no such group."}}
	}
	one.via = serviceOf(*chat)
	req.Service, req.Kind, req.Target = anyService, applescript.Chat, chat.GUID
	return nil
}

// aimAtPerson takes the conversation of the service that was asked for, or of auto
// the one used last. Where Messages has none, or does not list the one of chat.db, the
// person is named, on the service of that conversation.
func aimAtPerson(ctx context.Context, db *chatdb.DB, one *send, req *applescript.Request) error {
	auto := one.service == wire.ServiceAuto || one.service == ""
	one.via = one.service
	if auto {
		one.via = wire.ServiceIMessage
	}
	chats, err := db.DirectChats(ctx, one.handle)
	if err != nil {
		return fmt.Errorf("look for the conversation: %w", err)
	}
	req.Kind, req.Target = applescript.Participant, one.handle
	for _, c := range chats {
		if service := serviceOf(c); auto || service == one.service {
			one.via = service
			if !one.noChat {
				req.Service, req.Kind, req.Target = anyService, applescript.Chat, c.GUID
				return nil
			}
			break
		}
	}
	req.Service = one.via
	return nil
}

// serviceOf is the service that a conversation was used with last, in the words that
// AppleScript has. What is neither SMS nor RCS is some kind of iMessage.
func serviceOf(c chatdb.Chat) string {
	used := cmp.Or(c.LastService, c.Service)
	for _, s := range []string{wire.ServiceSMS, wire.ServiceRCS} {
		if strings.EqualFold(used, s) {
			return s
		}
	}
	return wire.ServiceIMessage
}

// errRecovered says that what was to go by SMS may have gone by iMessage after all.
var errRecovered = errors.New("the failed row no longer says so")

// reconsider looks once more at the row that made this send go by SMS: Messages, or
// its user, may have sent it meanwhile, and then a second one must not go. A row that is
// gone, or cannot be read, may have been sent before.
func (s *sender) reconsider(ctx context.Context, db *chatdb.DB, one *send) error {
	if one.attempt == 1 {
		return nil
	}
	former, err := s.journal.querySends(ctx, "message = ? AND attempt < ? AND state = ?", one.message, one.attempt, stateObserved)
	if err != nil {
		return err
	}
	for _, f := range former {
		rows, err := db.FindGUIDs(ctx, []string{f.guid})
		if err != nil {
			return fmt.Errorf("look at the failed row: %w", err)
		}
		if f.seen.Error == 0 || len(rows) != 1 || rows[0].Error == 0 || rows[0].Downgraded {
			return errRecovered
		}
	}
	return nil
}
