-- +goose Up
-- What a sender asks of a message beyond sending it.
ALTER TABLE messages ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;       -- not begun after it, 0 for no end
ALTER TABLE messages ADD COLUMN cancel_requested BIGINT NOT NULL DEFAULT 0; -- since when the relay is asked to give it up
ALTER TABLE messages ADD COLUMN resend_of TEXT NOT NULL DEFAULT '';         -- id of the message that it repeats
ALTER TABLE messages ADD COLUMN opened_at BIGINT NOT NULL DEFAULT 0;        -- when it was given to a relay as the first one to its peer
CREATE INDEX messages_expiry ON messages (expires_at) WHERE expires_at > 0 AND install_id IS NULL AND status = 'queued';
CREATE INDEX messages_peer ON messages (line_id, peer);
CREATE INDEX messages_resent ON messages (resend_of, seq) WHERE resend_of <> '';
CREATE INDEX messages_opened ON messages (line_id, opened_at) WHERE opened_at > 0;

-- The pace of a line. paced_until is the time, in microseconds, at which all that was
-- given to its relay would have gone at its rate: the one thing to remember of a bucket.
ALTER TABLE lines ADD COLUMN burst BIGINT NOT NULL DEFAULT 0;            -- 0: as its Mac calls for
ALTER TABLE lines ADD COLUMN new_conversations TEXT NOT NULL DEFAULT ''; -- '' as its Mac calls for, off, or a number a day
ALTER TABLE lines ADD COLUMN paced_until BIGINT NOT NULL DEFAULT 0;

-- Answers to requests that must have their effect once, however often they come.
CREATE TABLE idempotency (
	account_id  TEXT NOT NULL REFERENCES accounts (id),
	key         TEXT NOT NULL,
	fingerprint TEXT NOT NULL, -- SHA-256 of what the request said
	status      BIGINT NOT NULL,
	body        TEXT NOT NULL,
	created_at  BIGINT NOT NULL,
	PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- What became of a message, step by step.
CREATE TABLE message_steps (
	account_id  TEXT NOT NULL REFERENCES accounts (id),
	message_id  TEXT NOT NULL REFERENCES messages (id),
	n           BIGINT NOT NULL, -- 1, 2, … within the message
	status      TEXT NOT NULL,
	at          BIGINT NOT NULL, -- when it happened, by the clock of whoever saw it
	recorded_at BIGINT NOT NULL, -- by the clock of this server
	attempt     BIGINT NOT NULL,
	evidence    TEXT NOT NULL,
	apple_guid  TEXT NOT NULL,
	code        TEXT NOT NULL,
	number      BIGINT NOT NULL,
	detail      TEXT NOT NULL,
	PRIMARY KEY (account_id, message_id, n)
);
