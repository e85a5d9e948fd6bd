-- +goose Up
-- What one public API shows as a message of its own and the other as a part of one: a row
-- of this table too, marked in its class, so that lists and totals of both are exact.
ALTER TABLE messages ADD COLUMN belongs_to TEXT NOT NULL DEFAULT ''; -- id of the message that the row stands beside, '' for a message
ALTER TABLE messages ADD COLUMN place BIGINT NOT NULL DEFAULT 0;     -- of the file that it stands for, 0 for a tapback
CREATE INDEX messages_beside ON messages (belongs_to, place) WHERE belongs_to <> '';

-- The mark takes a bit, above which the line's ordinal begins.
UPDATE messages SET class = class / 256 * 512 + class % 256;
DELETE FROM message_totals;
INSERT INTO message_totals (class, account_id, n) SELECT class, account_id, COUNT(*) FROM messages WHERE class > 0 GROUP BY class, account_id;
