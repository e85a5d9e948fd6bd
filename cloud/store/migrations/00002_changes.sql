-- +goose Up
-- What happens to a message after it is there, and who made it.
ALTER TABLE messages ADD COLUMN origin TEXT NOT NULL DEFAULT '';    -- '' by us or by the other party; device: typed on a device of the owner
ALTER TABLE messages ADD COLUMN reply_to TEXT NOT NULL DEFAULT '';  -- id of the message that it answers, '' where that is unknown
ALTER TABLE messages ADD COLUMN junk BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN revision BIGINT NOT NULL DEFAULT 0; -- of the last edit that was applied
ALTER TABLE messages ADD COLUMN unsent BIGINT NOT NULL DEFAULT 0;   -- parts that were taken back
ALTER TABLE messages ADD COLUMN edits TEXT NOT NULL DEFAULT '';     -- JSON, '' for never edited
ALTER TABLE messages ADD COLUMN edited_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN unsent_at BIGINT NOT NULL DEFAULT 0;

-- A tapback is not a message: it belongs to one, which may be unknown here.
CREATE TABLE tapbacks (
	id          TEXT PRIMARY KEY,
	account_id  TEXT NOT NULL REFERENCES accounts (id),
	line_id     TEXT NOT NULL REFERENCES lines (id),
	apple_guid  TEXT NOT NULL, -- of the tapback's own row
	target_guid TEXT NOT NULL, -- of the message
	message_id  TEXT NOT NULL, -- '' where the message is unknown
	part        BIGINT NOT NULL,
	from_addr   TEXT NOT NULL,
	origin      TEXT NOT NULL,
	kind        TEXT NOT NULL,
	emoji       TEXT NOT NULL,
	removed     BIGINT NOT NULL,
	made_at     BIGINT NOT NULL,
	created_at  BIGINT NOT NULL
);
CREATE UNIQUE INDEX tapbacks_guid ON tapbacks (line_id, apple_guid);

-- What a type alone does not say: how a message was updated, or the id of a tapback.
ALTER TABLE events ADD COLUMN detail TEXT NOT NULL DEFAULT '';
