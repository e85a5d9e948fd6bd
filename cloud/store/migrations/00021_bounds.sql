-- +goose Up
-- What waits and is to be ended a part at a time: all on a line that was removed, or all to a
-- person who has opted out. A row is there while some of it may be left.
CREATE TABLE endings (
	account_id TEXT NOT NULL REFERENCES accounts (id),
	line_id    TEXT NOT NULL, -- '' for a person's
	address    TEXT NOT NULL, -- the person's, '' for a line's
	PRIMARY KEY (account_id, line_id, address)
);
