-- +goose Up
-- People whom an account has written down, or who have said whether they want to be
-- written to.
CREATE TABLE contacts (
	id          TEXT PRIMARY KEY,
	account_id  TEXT NOT NULL REFERENCES accounts (id),
	address     TEXT NOT NULL,   -- E.164, or a lower-case e-mail address
	first_name  TEXT NOT NULL,
	last_name   TEXT NOT NULL,
	company     TEXT NOT NULL,
	assigned_to TEXT NOT NULL,   -- e-mail address of a colleague
	line_number TEXT NOT NULL,   -- E.164, of the line that they are written to from; a note
	tags        TEXT NOT NULL,   -- JSON, an array of strings
	variables   TEXT NOT NULL,   -- JSON, an object of strings
	opted_out   BIGINT NOT NULL,
	consent_at  BIGINT NOT NULL, -- when opted_out was last said, 0 for never
	consent_by  TEXT NOT NULL,   -- id of the message that said it, '' for by hand
	created_at  BIGINT NOT NULL,
	updated_at  BIGINT NOT NULL,
	removed_at  BIGINT NOT NULL  -- removed, but for the opting out
);
CREATE UNIQUE INDEX contacts_address ON contacts (account_id, address);
CREATE INDEX contacts_age ON contacts (account_id, created_at, id);

-- The words by which people opt out and in again, one a line; an account without a row
-- has the usual ones.
CREATE TABLE consent_words (
	account_id TEXT PRIMARY KEY REFERENCES accounts (id),
	opt_out    TEXT NOT NULL,
	opt_in     TEXT NOT NULL
);

-- Files that were uploaded to be sent later. The bytes are in a file of the media folder
-- that bears the id.
CREATE TABLE uploads (
	id         TEXT PRIMARY KEY,
	account_id TEXT NOT NULL REFERENCES accounts (id),
	name       TEXT NOT NULL,
	mime       TEXT NOT NULL,
	size       BIGINT NOT NULL,      -- while it is on its way the most that it may have
	sha256     TEXT NOT NULL,
	state      TEXT NOT NULL,        -- pending or stored
	token      TEXT NOT NULL UNIQUE, -- what its public path begins with
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX uploads_account ON uploads (account_id, size);
CREATE INDEX uploads_expiry ON uploads (expires_at);

-- What has happened to one group.
CREATE INDEX group_changes_chat ON group_changes (line_id, chat_guid, made_at);
