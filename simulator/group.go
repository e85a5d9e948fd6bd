package simulator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// founding is the request of Group.
type founding struct {
	Name    string   `json:"name"`
	Service string   `json:"service"`
	People  []string `json:"people"`
}

// Group makes a group conversation as if somebody had begun it: Messages' script
// cannot. It returns the chat's guid, which stands in chat.db then. service is
// iMessage, SMS or RCS; people are at least two addresses beside the own one. It
// fails with ErrNotRunning where no Messages runs in dir.
func Group(ctx context.Context, dir, name, service string, people ...string) (guid string, err error) {
	return act(ctx, dir, pathGroup, founding{Name: name, Service: service, People: people})
}

// isGroup tells by a chat's guid.
func isGroup(guid string) bool { return strings.Contains(guid, ";+;") }

// chatIdentifier is the last part of a chat's guid.
func chatIdentifier(guid string) string { return guid[strings.LastIndexByte(guid, ';')+1:] }

func (f founding) check() error {
	if len(f.People) < 2 {
		return faultf("a group needs two people at least")
	}
	for _, p := range f.People {
		if !plausibleHandle(p) {
			return faultf("a group is made of phone numbers and mail addresses")
		}
	}
	switch f.Service {
	case serviceIMessage, serviceSMS, serviceRCS:
		return nil
	}
	return faultf("the service must be iMessage, SMS or RCS")
}

// group makes the chat with its people in one commit.
func (db *messagesDB) group(ctx context.Context, f founding, own string) (guid string, err error) {
	identifier := "chat" + strconv.FormatUint(rand.Uint64N(1e18)+1e17, 10)
	guid = "any;+;" + identifier
	err = db.file.commit(ctx, func() error {
		_, err := db.file.exec(ctx, `INSERT INTO chat (
				guid, style, state, account_id, chat_identifier, service_name, room_name, account_login,
				last_addressed_handle, display_name, group_id, original_group_id
			) VALUES (?, ?, 3, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			guid, styleGroup, db.account, identifier, f.Service, identifier, "P:"+own, own, f.Name, identifier, identifier)
		if err != nil {
			return err
		}
		for _, p := range f.People {
			p = canonicalHandle(p)
			if _, err := db.file.exec(ctx, "INSERT OR IGNORE INTO handle (id, country, service) VALUES (?, 'us', ?)", p, f.Service); err != nil {
				return err
			}
			_, err := db.file.exec(ctx, `INSERT OR IGNORE INTO chat_handle_join (chat_id, handle_id)
				SELECT c.ROWID, h.ROWID FROM chat c, handle h WHERE c.guid = ? AND h.id = ? AND h.service = ?`, guid, p, f.Service)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("make group: %w", err)
	}
	return guid, nil
}
