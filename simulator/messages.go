package simulator

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

//go:embed schema/tables.sql
var schemaTables string

//go:embed schema/rest.sql
var schemaRest string

// appleEpoch is 2001-01-01T00:00:00Z in Unix seconds, from which chat.db
// counts: nanoseconds for messages, seconds for attachments.
const appleEpoch = 978307200

// Values of chat.style.
const (
	styleGroup  = 43
	styleDirect = 45
)

// messagesDB is chat.db with the changes that Messages makes. Each method is
// one commit (join: up to two) and may be repeated without a further effect.
type messagesDB struct {
	file    *sqlFile
	account string // account_guid
}

// openMessages opens chat.db below dir and makes its tables where there are
// none.
func openMessages(ctx context.Context, dir, number string) (*messagesDB, error) {
	file, err := openSQLFile(ctx, filepath.Join(dir, chatDBName))
	if err != nil {
		return nil, fmt.Errorf("open Messages database: %w", err)
	}
	sum := sha256.Sum256([]byte(number))
	db := &messagesDB{file: file, account: formatGUID([16]byte(sum[:16]))}
	if err := db.make(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make Messages database: %w", err), file.close())
	}
	return db, nil
}

func (db *messagesDB) close() error { return db.file.close() }

func (db *messagesDB) make(ctx context.Context) error {
	return db.file.commit(ctx, func() error {
		var tables int
		_, err := db.file.find(ctx, []any{&tables},
			"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'message'")
		if err != nil || tables > 0 {
			return err
		}
		if err := db.file.script(ctx, schemaTables+schemaRest); err != nil {
			return err
		}
		_, err = db.file.exec(ctx,
			"INSERT INTO _SqliteDatabaseProperties (key, value) VALUES ('_UniqueIdentifier', ?)", newGUID())
		return err
	})
}

// insert makes the row of l with its handle. made is false where it was there
// already.
func (db *messagesDB) insert(ctx context.Context, l *life) (rowid int64, made bool, err error) {
	err = db.file.commit(ctx, func() error {
		handle, err := db.handle(ctx, l)
		if err != nil {
			return err
		}
		transfer, parts := "", 1
		if l.File != nil {
			transfer = l.File.GUID
			if l.Text != "" {
				parts = 2
			}
		}
		settled := !l.Own || l.Device // complete when it first appears
		res, err := db.file.exec(ctx, `INSERT OR IGNORE INTO message (
				guid, handle_id, attributedBody, version, service, account, account_guid,
				date, date_read, date_delivered, is_from_me, is_sent, is_finished, is_delivered,
				destination_caller_id, part_count, cache_roomnames
			) VALUES (?, ?, ?, 10, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?)`,
			l.GUID, handle, messageBody(l.Text, transfer, l.Own), l.Service, "P:"+l.Caller, db.account,
			appleNow(), l.Own, l.Device, settled, !l.Own, l.Caller, parts, l.room())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		made = n == 1
		_, err = db.file.find(ctx, []any{&rowid}, "SELECT ROWID FROM message WHERE guid = ?", l.GUID)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("insert message: %w", err)
	}
	return rowid, made, nil
}

// ghost makes the row of a message that Messages could not route: own, of nothing, in
// no chat, with the chat's identifier for a handle.
func (db *messagesDB) ghost(ctx context.Context, l *life) (rowid int64, made bool, err error) {
	err = db.file.commit(ctx, func() error {
		lost := &life{Peer: chatIdentifier(l.Chat), Service: serviceSMS}
		handle, err := db.handle(ctx, lost)
		if err != nil {
			return err
		}
		res, err := db.file.exec(ctx, `INSERT OR IGNORE INTO message (guid, handle_id, version, service, account, account_guid,
				date, date_read, date_delivered, is_from_me, is_finished, destination_caller_id, part_count)
			VALUES (?, ?, 10, ?, ?, ?, ?, 0, 0, 1, 1, ?, 0)`, l.GUID, handle, lost.Service, "P:"+l.Caller, db.account, appleNow(), l.Caller)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		made = n == 1
		_, err = db.file.find(ctx, []any{&rowid}, "SELECT ROWID FROM message WHERE guid = ?", l.GUID)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("insert ghost: %w", err)
	}
	return rowid, made, nil
}

// room is what rows of groups name beside their chat.
func (l *life) room() any {
	if isGroup(l.Chat) {
		return chatIdentifier(l.Chat)
	}
	return nil
}

// handle is 0 on own messages to a group, as Messages has it.
func (db *messagesDB) handle(ctx context.Context, l *life) (rowid int64, err error) {
	if l.Peer == "" {
		return 0, nil
	}
	_, err = db.file.exec(ctx, "INSERT OR IGNORE INTO handle (id, country, service) VALUES (?, 'us', ?)", l.Peer, l.Service)
	if err != nil {
		return 0, err
	}
	_, err = db.file.find(ctx, []any{&rowid}, "SELECT ROWID FROM handle WHERE id = ? AND service = ?", l.Peer, l.Service)
	return rowid, err
}

// join puts the message into its chat. A chat that is new comes in a commit
// of its own just before, after the message's row.
func (db *messagesDB) join(ctx context.Context, l *life) error {
	var chat int64
	ok, err := db.file.find(ctx, []any{&chat}, "SELECT ROWID FROM chat WHERE guid = ?", l.Chat)
	if err == nil && !ok {
		err = db.file.commit(ctx, func() error { return db.makeChat(ctx, l) })
	}
	if err != nil {
		return fmt.Errorf("make chat: %w", err)
	}
	_, err = db.file.exec(ctx, `INSERT OR IGNORE INTO chat_message_join (chat_id, message_id, message_date)
		SELECT c.ROWID, m.ROWID, m.date FROM chat c, message m WHERE c.guid = ? AND m.guid = ?`, l.Chat, l.GUID)
	if err != nil {
		return fmt.Errorf("join message to chat: %w", err)
	}
	return nil
}

func (db *messagesDB) makeChat(ctx context.Context, l *life) error {
	group := newGUID()
	_, err := db.file.exec(ctx, `INSERT INTO chat (
			guid, style, state, account_id, chat_identifier, service_name, account_login,
			last_addressed_handle, group_id, original_group_id
		) VALUES (?, ?, 3, ?, ?, ?, ?, ?, ?, ?)`,
		l.Chat, styleDirect, db.account, l.Peer, l.Service, "P:"+l.Caller, l.Caller, group, group)
	if err != nil {
		return err
	}
	_, err = db.file.exec(ctx, `INSERT OR IGNORE INTO chat_handle_join (chat_id, handle_id)
		SELECT c.ROWID, h.ROWID FROM chat c, handle h WHERE c.guid = ? AND h.id = ? AND h.service = ?`,
		l.Chat, l.Peer, l.Service)
	return err
}

// attach makes the attachment's row, without its file until it has arrived on
// inbound messages, and joins it.
func (db *messagesDB) attach(ctx context.Context, l *life) error {
	uti, mime := l.File.kind()
	var path any
	if l.Own {
		path = l.File.Path
	}
	err := db.file.commit(ctx, func() error {
		_, err := db.file.exec(ctx, `INSERT OR IGNORE INTO attachment (
				guid, original_guid, created_date, filename, uti, mime_type,
				transfer_state, is_outgoing, transfer_name, total_bytes
			) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			l.File.GUID, l.File.GUID, time.Now().Unix()-appleEpoch, path, uti, mime,
			transferWaiting, l.Own, l.File.Name, l.File.Bytes)
		if err != nil {
			return err
		}
		_, err = db.file.exec(ctx, `INSERT OR IGNORE INTO message_attachment_join (message_id, attachment_id)
			SELECT m.ROWID, a.ROWID FROM message m, attachment a WHERE m.guid = ? AND a.guid = ?`,
			l.GUID, l.File.GUID)
		return err
	})
	if err != nil {
		return fmt.Errorf("attach file: %w", err)
	}
	return nil
}

func (db *messagesDB) transfer(ctx context.Context, l *life, state int) error {
	var path any
	if l.Own || state == transferFinished {
		path = l.File.Path
	}
	_, err := db.file.exec(ctx, "UPDATE attachment SET transfer_state = ?, filename = ? WHERE guid = ?",
		state, path, l.File.GUID)
	return err
}

// sent also clears the error of a message that failed before.
func (db *messagesDB) sent(ctx context.Context, l *life) error {
	_, err := db.file.exec(ctx, "UPDATE message SET is_sent = 1, is_finished = 1, error = 0 WHERE guid = ?", l.GUID)
	return err
}

func (db *messagesDB) failed(ctx context.Context, l *life, code int) error {
	_, err := db.file.exec(ctx, "UPDATE message SET is_sent = 0, is_finished = 1, error = ? WHERE guid = ?", code, l.GUID)
	return err
}

// delivered has no date on a message from another device of the owner.
func (db *messagesDB) delivered(ctx context.Context, l *life) error {
	var at int64
	if !l.Device {
		at = appleNow()
	}
	_, err := db.file.exec(ctx,
		"UPDATE message SET is_delivered = 1, date_delivered = ? WHERE guid = ? AND is_delivered = 0", at, l.GUID)
	return err
}

func (db *messagesDB) read(ctx context.Context, l *life) error {
	_, err := db.file.exec(ctx, "UPDATE message SET is_read = 1, date_read = ? WHERE guid = ? AND is_read = 0",
		appleNow(), l.GUID)
	return err
}

// chat looks a chat up by its guid.
func (db *messagesDB) chat(ctx context.Context, guid string) (c chat, ok bool, err error) {
	ok, err = db.file.find(ctx, []any{&c.identifier, &c.service, &c.style},
		"SELECT coalesce(chat_identifier, ''), coalesce(service_name, ''), coalesce(style, 0) FROM chat WHERE guid = ?", guid)
	if err != nil {
		return chat{}, false, fmt.Errorf("find chat: %w", err)
	}
	return c, ok, nil
}

// chat is what a send needs to know of one.
type chat struct {
	identifier string
	service    string
	style      int
}

func appleNow() int64 { return time.Now().UnixNano() - appleEpoch*int64(time.Second) }
