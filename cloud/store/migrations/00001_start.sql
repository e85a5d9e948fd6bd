-- +goose Up
-- Times are Unix milliseconds, flags 0 or 1, ids text: one form for every engine.
-- Everything that belongs to somebody begins with account_id.
CREATE TABLE accounts (
	id                  TEXT PRIMARY KEY,
	name                TEXT NOT NULL,
	email               TEXT NOT NULL,
	plan                TEXT NOT NULL,
	monthly_messages    BIGINT NOT NULL, -- 0: no limit
	requests_per_minute BIGINT NOT NULL, -- for each key; 0: no limit
	message_seq         BIGINT NOT NULL, -- last number given to a message
	event_seq           BIGINT NOT NULL, -- last number given to an event
	created_at          BIGINT NOT NULL
);

CREATE TABLE members (
	id            TEXT PRIMARY KEY,
	account_id    TEXT NOT NULL REFERENCES accounts (id),
	login         TEXT NOT NULL UNIQUE,
	name          TEXT NOT NULL,
	role          TEXT NOT NULL,
	password_hash TEXT NOT NULL,
	created_at    BIGINT NOT NULL
);

CREATE TABLE keys (
	id          TEXT PRIMARY KEY,
	account_id  TEXT NOT NULL REFERENCES accounts (id),
	dialect     TEXT NOT NULL,        -- texting_blue or sendblue
	shown       TEXT NOT NULL,        -- the part that may be shown: a prefix, or the key id of a pair
	secret_hash TEXT NOT NULL UNIQUE, -- SHA-256 of the whole secret
	permissions TEXT NOT NULL,        -- separated by spaces
	created_at  BIGINT NOT NULL,
	revoked_at  BIGINT NOT NULL
);
CREATE INDEX keys_account ON keys (account_id, created_at);

CREATE TABLE lines (
	id           TEXT PRIMARY KEY,
	account_id   TEXT NOT NULL REFERENCES accounts (id),
	phone_number TEXT NOT NULL,
	label        TEXT NOT NULL,
	status       TEXT NOT NULL, -- active or paused
	verified     BIGINT NOT NULL,
	pace         TEXT NOT NULL, -- '' by the Mac, off, or a rate per second
	relay_id     TEXT NOT NULL, -- '' until a Mac is paired
	created_at   BIGINT NOT NULL,
	removed_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX lines_number ON lines (phone_number) WHERE removed_at = 0;
CREATE INDEX lines_account ON lines (account_id, created_at);

CREATE TABLE setup_tokens (
	token_hash TEXT PRIMARY KEY,
	line_id    TEXT NOT NULL REFERENCES lines (id),
	replaces   BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);

CREATE TABLE relays (
	id           TEXT PRIMARY KEY,
	account_id   TEXT NOT NULL REFERENCES accounts (id),
	line_id      TEXT NOT NULL REFERENCES lines (id),
	secret_hash  TEXT NOT NULL UNIQUE,
	host         TEXT NOT NULL,
	os           TEXT NOT NULL,
	version      TEXT NOT NULL,
	ready        BIGINT NOT NULL,
	problem      TEXT NOT NULL,
	reason       TEXT NOT NULL,
	connected    BIGINT NOT NULL,
	last_seen_at BIGINT NOT NULL,
	created_at   BIGINT NOT NULL,
	retired_at   BIGINT NOT NULL
);
CREATE INDEX relays_account ON relays (account_id, created_at);

-- An install is one journal of a relay. Its last_seq is the highest report that is
-- committed here.
CREATE TABLE installs (
	id         TEXT PRIMARY KEY,
	relay_id   TEXT NOT NULL REFERENCES relays (id),
	last_seq   BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	retired_at BIGINT NOT NULL
);
CREATE INDEX installs_relay ON installs (relay_id, retired_at);

CREATE TABLE messages (
	id            TEXT PRIMARY KEY,
	account_id    TEXT NOT NULL REFERENCES accounts (id),
	line_id       TEXT NOT NULL REFERENCES lines (id),
	seq           BIGINT NOT NULL,
	direction     TEXT NOT NULL, -- outbound or inbound
	status        TEXT NOT NULL,
	from_addr     TEXT NOT NULL,
	to_addr       TEXT NOT NULL,
	peer          TEXT NOT NULL, -- the other party, or the group: what a conversation is with
	content       TEXT NOT NULL,
	media_url     TEXT NOT NULL,
	service       TEXT NOT NULL,
	chat_guid     TEXT NOT NULL,
	apple_guid    TEXT, -- null until a row is known
	install_id    TEXT, -- null while no install is responsible
	attempt       BIGINT NOT NULL,
	error_code    TEXT NOT NULL,
	error_number  BIGINT NOT NULL,
	error_message TEXT NOT NULL,
	created_at    BIGINT NOT NULL,
	accepted_at   BIGINT NOT NULL,
	sent_at       BIGINT NOT NULL,
	delivered_at  BIGINT NOT NULL,
	read_at       BIGINT NOT NULL,
	updated_at    BIGINT NOT NULL
);
CREATE INDEX messages_account ON messages (account_id, created_at, seq);
CREATE UNIQUE INDEX messages_guid ON messages (line_id, apple_guid);
CREATE INDEX messages_line ON messages (line_id, created_at);
-- What a relay holds or waits for: small, whatever the size of the history.
CREATE INDEX messages_open ON messages (line_id, seq) WHERE status IN ('queued', 'accepted', 'sending');
CREATE INDEX messages_open_peer ON messages (line_id, peer, seq) WHERE status IN ('queued', 'accepted', 'sending');
CREATE INDEX messages_unknown ON messages (updated_at) WHERE status = 'unknown';
CREATE INDEX messages_from ON messages (account_id, from_addr, created_at, seq);
CREATE INDEX messages_to ON messages (account_id, to_addr, created_at, seq);

CREATE TABLE events (
	id         TEXT PRIMARY KEY,
	account_id TEXT NOT NULL REFERENCES accounts (id),
	seq        BIGINT NOT NULL,
	type       TEXT NOT NULL,
	message_id TEXT NOT NULL,
	line_id    TEXT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX events_account ON events (account_id, seq);

CREATE TABLE webhooks (
	id           TEXT PRIMARY KEY,
	account_id   TEXT NOT NULL REFERENCES accounts (id),
	dialect      TEXT NOT NULL,
	url          TEXT NOT NULL,
	events       TEXT NOT NULL, -- separated by spaces
	phone_number TEXT NOT NULL, -- '' for every line
	secret       TEXT NOT NULL, -- must be readable: it signs
	active       BIGINT NOT NULL,
	created_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX webhooks_url ON webhooks (account_id, dialect, url);

CREATE TABLE deliveries (
	id         TEXT PRIMARY KEY,
	account_id TEXT NOT NULL REFERENCES accounts (id),
	webhook_id TEXT NOT NULL,
	event_id   TEXT NOT NULL,
	event_type TEXT NOT NULL,
	body       TEXT NOT NULL, -- rendered once: what is signed is what is sent
	state      TEXT NOT NULL, -- pending, done or failed
	attempt    BIGINT NOT NULL,
	due_at     BIGINT NOT NULL,
	response   BIGINT NOT NULL, -- HTTP status of the last attempt, 0 without
	problem    TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'pending';
CREATE INDEX deliveries_webhook ON deliveries (webhook_id, created_at);

CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);
