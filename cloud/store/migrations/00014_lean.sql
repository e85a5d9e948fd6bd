-- +goose Up
-- What a message costs to store is mostly its indexes. A line's messages of a day are
-- counted in messages_created, which has the line in the class; and only a message that
-- has a row in chat.db is looked for by its guid.
DROP INDEX messages_line;
DROP INDEX messages_guid;
CREATE UNIQUE INDEX messages_guid ON messages (line_id, apple_guid) WHERE apple_guid IS NOT NULL;
