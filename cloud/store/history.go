package store

import "cmp"

// AddHistory stores messages of the past of one account and line, as they are, and
// says how many of them were new: one whose Apple guid the line has already is left
// alone. Unlike CreateMessage it takes a block of numbers at once, so that there may
// be gaps; each message's place in a list is that of its CreatedAt.
func (tx *Tx) AddHistory(accountID string, list []Message) (added int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	var seq, ordinal int64
	err = tx.stmts.row(tx.ctx, "UPDATE accounts SET message_seq = message_seq + $1 WHERE id = $2 RETURNING message_seq, (SELECT ordinal FROM lines WHERE id = $3)",
		len(list), accountID, list[0].LineID).Scan(&seq, &ordinal)
	if err != nil {
		return 0, err
	}
	seq -= int64(len(list))
	for _, m := range list {
		seq++
		if m.Direction == Outbound {
			kept, err := tx.keepsRow(tx.ctx, m.LineID, m.AppleGUID)
			if err != nil {
				return 0, err
			}
			if kept {
				continue
			}
		}
		m.AccountID, m.Seq = accountID, seq
		m.DatedAt = cmp.Or(m.SentAt, m.CreatedAt)
		m.classify(ordinal, true)
		res, err := tx.stmts.exec(tx.ctx, `INSERT INTO messages (id, account_id, line_id, seq, direction, status, from_addr, to_addr, peer, content, media_url, service, chat_guid,
			apple_guid, install_id, attempt, error_code, error_number, error_message, created_at, accepted_at, sent_at, delivered_at, read_at, updated_at, origin, reply_to, junk, party, dated_at, class)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', $11, $12, $13, NULL, 0, $14, $15, $16, $17, 0, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)
			ON CONFLICT (line_id, apple_guid) WHERE apple_guid IS NOT NULL DO NOTHING`,
			m.ID, m.AccountID, m.LineID, seq, m.Direction, m.Status, m.From, m.To, m.Peer, m.Content, m.Service, m.ChatGUID,
			m.AppleGUID, m.ErrorCode, m.ErrorNumber, m.ErrorMessage, m.CreatedAt, m.SentAt, m.DeliveredAt, m.ReadAt, m.UpdatedAt, m.Origin, m.ReplyTo, flag(m.Junk), m.party(), m.DatedAt, m.Class)
		if err != nil {
			return 0, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return 0, err
		}
		if n == 0 {
			continue
		}
		added++
		tx.count(m, m.Class, 1)
		tx.text(m, m.Content, false)
		if err := tx.spoke(m); err != nil {
			return 0, err
		}
		if err := tx.addFirstStep(m); err != nil {
			return 0, err
		}
	}
	return added, nil
}
