-- +goose Up
-- Events as each public API tells them, rendered once: what the feed shows later is
-- what was true then, and what webhooks were told.
CREATE TABLE event_bodies (
	account_id TEXT NOT NULL REFERENCES accounts (id),
	seq        BIGINT NOT NULL, -- of the event
	dialect    TEXT NOT NULL,
	event_id   TEXT NOT NULL,
	type       TEXT NOT NULL,
	line_id    TEXT NOT NULL,
	own        BIGINT NOT NULL, -- done by the owner on a device of his own: no webhook hears of it
	body       TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (account_id, seq, dialect)
);

-- Deliveries go with their event.
CREATE INDEX deliveries_event ON deliveries (event_id);

-- Where deliveries to one webhook are found without reading past those to others.
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (webhook_id, due_at) WHERE state = 'pending';
ALTER TABLE deliveries ADD COLUMN excerpt TEXT NOT NULL DEFAULT ''; -- of the last answer
ALTER TABLE deliveries ADD COLUMN kind TEXT NOT NULL DEFAULT '';    -- '' for what happened, replay or test for what was asked for
ALTER TABLE webhooks ADD COLUMN old_secret TEXT NOT NULL DEFAULT '';       -- signs too until a time
ALTER TABLE webhooks ADD COLUMN old_secret_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhooks ADD COLUMN failing_since BIGINT NOT NULL DEFAULT 0;   -- nothing but failures from then on, 0 for none
ALTER TABLE webhooks ADD COLUMN disabled TEXT NOT NULL DEFAULT '';         -- why the server switched it off: failing or gone
ALTER TABLE webhooks ADD COLUMN disabled_at BIGINT NOT NULL DEFAULT 0;
