-- +goose Up
-- Files of messages. The bytes are in a file of the media folder that bears the id.
CREATE TABLE media (
	id         TEXT PRIMARY KEY,
	account_id TEXT NOT NULL REFERENCES accounts (id),
	line_id    TEXT NOT NULL REFERENCES lines (id),
	message_id TEXT NOT NULL REFERENCES messages (id),
	place      BIGINT NOT NULL,      -- order within the message
	guid       TEXT NOT NULL,        -- Apple's, of the attachment
	variant    TEXT NOT NULL,        -- '' for the file as it came, else the kind of a converted copy
	name       TEXT NOT NULL,
	mime       TEXT NOT NULL,
	size       BIGINT NOT NULL,
	sha256     TEXT NOT NULL,        -- hex, '' until its upload has begun
	state      TEXT NOT NULL,        -- pending, stored or failed
	token      TEXT NOT NULL UNIQUE, -- what its public path begins with
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX media_message ON media (message_id, guid, variant);
CREATE INDEX media_expiry ON media (expires_at);

-- Messages whose message.received waits for their media, until a time.
CREATE TABLE held_events (
	message_id TEXT PRIMARY KEY REFERENCES messages (id),
	account_id TEXT NOT NULL REFERENCES accounts (id),
	due_at     BIGINT NOT NULL
);
CREATE INDEX held_events_due ON held_events (due_at);
