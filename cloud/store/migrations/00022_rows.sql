-- +goose Up
-- The rows in Messages' database that a message has beside the one by which it is known:
-- its file's, and those of attempts before.
CREATE TABLE message_rows (
	line_id    TEXT NOT NULL REFERENCES lines (id),
	apple_guid TEXT NOT NULL,
	message_id TEXT NOT NULL REFERENCES messages (id),
	PRIMARY KEY (line_id, apple_guid)
);
