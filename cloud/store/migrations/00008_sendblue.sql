-- +goose Up
-- Webhooks that a public API keeps by types of its own: one URL may serve several.
ALTER TABLE webhooks ADD COLUMN kind TEXT NOT NULL DEFAULT '';         -- that type, or callback; '' where the events are chosen one by one
ALTER TABLE webhooks ADD COLUMN numbers TEXT NOT NULL DEFAULT '';      -- of lines, separated by spaces; '' for every line
ALTER TABLE webhooks ADD COLUMN given_secret TEXT NOT NULL DEFAULT ''; -- chosen by the customer, and shown to the receiver
ALTER TABLE accounts ADD COLUMN given_secret TEXT NOT NULL DEFAULT ''; -- for webhooks without one of their own
DROP INDEX webhooks_url;
CREATE UNIQUE INDEX webhooks_url ON webhooks (account_id, dialect, kind, url);

-- Where a message's own outcome is told, beside the webhooks. The webhook of kind
-- callback stands for the host, so that one that hangs delays no other.
CREATE TABLE callbacks (
	message_id TEXT PRIMARY KEY REFERENCES messages (id),
	webhook_id TEXT NOT NULL,
	url        TEXT NOT NULL
);
ALTER TABLE deliveries ADD COLUMN url TEXT NOT NULL DEFAULT ''; -- '' for the webhook's own

-- Answers to requests that a client may repeat by itself, without a key that says so:
-- recognised by who made them and what they say, for minutes.
CREATE TABLE accepted_requests (
	key_id      TEXT NOT NULL REFERENCES keys (id),
	fingerprint TEXT NOT NULL,
	status      BIGINT NOT NULL,
	body        TEXT NOT NULL,
	seen_at     BIGINT NOT NULL, -- when it was made or repeated last
	PRIMARY KEY (key_id, fingerprint)
);
CREATE INDEX accepted_requests_age ON accepted_requests (seen_at);
