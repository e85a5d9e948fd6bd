-- +goose Up
-- The lines whose Mac proves once a day that it sends, and how that went.
CREATE TABLE canaries (
	line_id    TEXT PRIMARY KEY REFERENCES lines (id),
	due_at     BIGINT NOT NULL, -- Unix ms: when the next message goes, or the one that is out is judged
	message_id TEXT NOT NULL,   -- of the last message, '' before the first
	waiting    BIGINT NOT NULL, -- 1 while that is out
	proved_at  BIGINT NOT NULL, -- Unix ms, when one was last seen to be sent, 0 for never
	failure    TEXT NOT NULL    -- a sentence where the last one was not, else ''
);
CREATE INDEX canaries_due ON canaries (due_at);
