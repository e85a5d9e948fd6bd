-- +goose Up
-- What lists of messages are found and counted by.
--
-- A line has a small number of its own, which begins the classes of its messages.
ALTER TABLE lines ADD COLUMN ordinal BIGINT NOT NULL DEFAULT 0;
UPDATE lines SET ordinal = (SELECT COUNT(*) FROM lines AS l WHERE l.created_at < lines.created_at OR (l.created_at = lines.created_at AND l.id <= lines.id));
CREATE UNIQUE INDEX lines_ordinal ON lines (ordinal);
ALTER TABLE accounts ADD COLUMN ordinal BIGINT NOT NULL DEFAULT 0;
UPDATE accounts SET ordinal = (SELECT COUNT(*) FROM accounts AS a WHERE a.created_at < accounts.created_at OR (a.created_at = accounts.created_at AND a.id <= accounts.id));
CREATE UNIQUE INDEX accounts_ordinal ON accounts (ordinal);

ALTER TABLE messages ADD COLUMN class BIGINT NOT NULL DEFAULT 0;     -- line, direction, type, service and phase in one number, see class.go; below 0 for a hidden one
ALTER TABLE messages ADD COLUMN party TEXT NOT NULL DEFAULT '';      -- who is not the line: sender of what came in, recipient of what went out
ALTER TABLE messages ADD COLUMN dated_at BIGINT NOT NULL DEFAULT 0;  -- when it was sent, until that is known when it was created
ALTER TABLE messages ADD COLUMN hidden_at BIGINT NOT NULL DEFAULT 0; -- since when nobody is shown it, 0 for what everybody is
CREATE INDEX relays_line ON relays (line_id);
UPDATE messages SET party = CASE direction WHEN 'outbound' THEN to_addr ELSE from_addr END,
	dated_at = CASE sent_at WHEN 0 THEN created_at ELSE sent_at END,
	class = (SELECT ordinal FROM lines WHERE lines.id = messages.line_id) * 256
		+ CASE direction WHEN 'outbound' THEN 128 ELSE 0 END
		+ CASE WHEN (direction = 'outbound' AND chat_guid <> '' AND peer = chat_guid) OR (direction <> 'outbound' AND peer <> from_addr) THEN 64 ELSE 0 END
		+ CASE service WHEN 'iMessage' THEN 16 WHEN 'SMS' THEN 32 WHEN 'RCS' THEN 48 ELSE 0 END
		+ CASE status WHEN 'accepted' THEN 4 WHEN 'sending' THEN 4 WHEN 'sent' THEN 5 WHEN 'delivered' THEN 6 WHEN 'read' THEN 6 WHEN 'unknown' THEN 9 WHEN 'received' THEN 10
			WHEN 'queued' THEN CASE WHEN NOT EXISTS (SELECT 1 FROM relays WHERE relays.line_id = messages.line_id) THEN 1 WHEN awaits_media = 1 THEN 2 ELSE 3 END
			ELSE 7 END;

-- How many messages of a class there are that are not hidden.
CREATE TABLE message_totals (
	class      BIGINT PRIMARY KEY,
	account_id TEXT NOT NULL REFERENCES accounts (id),
	n          BIGINT NOT NULL
);
CREATE INDEX message_totals_account ON message_totals (account_id);
INSERT INTO message_totals (class, account_id, n) SELECT class, account_id, COUNT(*) FROM messages GROUP BY class, account_id;

DROP INDEX messages_account;
DROP INDEX messages_from;
DROP INDEX messages_to;
DROP INDEX messages_peer;
CREATE UNIQUE INDEX messages_seq ON messages (account_id, seq);
CREATE INDEX messages_created ON messages (account_id, created_at, seq, class, dated_at, updated_at);
CREATE INDEX messages_dated ON messages (account_id, dated_at, seq, class);
CREATE INDEX messages_updated ON messages (account_id, updated_at, seq, class);
CREATE INDEX messages_party ON messages (account_id, party, created_at, seq, class);
CREATE INDEX messages_peer ON messages (account_id, peer, created_at, seq, class);
CREATE INDEX messages_class ON messages (class, created_at, seq);
