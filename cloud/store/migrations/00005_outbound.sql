-- +goose Up
-- By which service a message was to go, and how it went.
ALTER TABLE messages ADD COLUMN requested TEXT NOT NULL DEFAULT '';       -- auto, iMessage, SMS or RCS; '' for what nobody ordered here
ALTER TABLE messages ADD COLUMN fallback BIGINT NOT NULL DEFAULT 0;       -- it goes by SMS, as the line's setting allows
ALTER TABLE messages ADD COLUMN fallback_install TEXT NOT NULL DEFAULT ''; -- the only one that may make that attempt, '' for any
ALTER TABLE messages ADD COLUMN downgraded BIGINT NOT NULL DEFAULT 0;     -- Messages chose SMS by itself
ALTER TABLE messages ADD COLUMN awaits_media BIGINT NOT NULL DEFAULT 0;   -- no relay gets it before its file is here
UPDATE messages SET requested = 'auto' WHERE direction = 'outbound' AND origin = '';
ALTER TABLE lines ADD COLUMN sms_fallback BIGINT NOT NULL DEFAULT 0;

-- Files that are to be fetched for a message. A row goes when its file is stored, or
-- when it is certain that it will not be.
CREATE TABLE fetches (
	media_id   TEXT PRIMARY KEY REFERENCES media (id),
	account_id TEXT NOT NULL REFERENCES accounts (id),
	message_id TEXT NOT NULL REFERENCES messages (id),
	url        TEXT NOT NULL,
	host       TEXT NOT NULL,   -- of the URL: few at a time to each
	max_bytes  BIGINT NOT NULL,
	tries      BIGINT NOT NULL, -- made
	due_at     BIGINT NOT NULL,
	give_up_at BIGINT NOT NULL,
	copy_of    TEXT NOT NULL    -- id of the message that is sent again, '' for none
);
CREATE INDEX fetches_due ON fetches (due_at);

-- A Mac that was replaced may still tell what became of its messages; one that was
-- revoked may not.
ALTER TABLE relays ADD COLUMN replaced BIGINT NOT NULL DEFAULT 0;
ALTER TABLE relays ADD COLUMN alarms BIGINT NOT NULL DEFAULT 0;           -- reports of what must not happen
ALTER TABLE installs ADD COLUMN heard_out BIGINT NOT NULL DEFAULT 0;      -- replaced, and all that it had to say then is known

-- Two lives of one journal, of which one is an old copy, are told apart by it.
ALTER TABLE installs ADD COLUMN last_token TEXT NOT NULL DEFAULT ''; -- of the report last_seq

-- What happened to a group; a type and a chat say no more.
CREATE TABLE group_changes (
	id         TEXT PRIMARY KEY,
	account_id TEXT NOT NULL REFERENCES accounts (id),
	line_id    TEXT NOT NULL REFERENCES lines (id),
	apple_guid TEXT NOT NULL, -- of the row that says it
	chat_guid  TEXT NOT NULL,
	kind       TEXT NOT NULL, -- joined, left, removed, renamed, photo_set or photo_removed
	who        TEXT NOT NULL, -- '' for the owner
	other      TEXT NOT NULL,
	name       TEXT NOT NULL,
	made_at    BIGINT NOT NULL,
	created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX group_changes_guid ON group_changes (line_id, apple_guid);

-- Events about a Mac.
ALTER TABLE events ADD COLUMN relay_id TEXT NOT NULL DEFAULT '';

-- Facts about messages that are not here: what is left of them after the database was
-- restored from an older copy.
CREATE TABLE orphan_reports (
	relay_id   TEXT NOT NULL REFERENCES relays (id),
	install_id TEXT NOT NULL,
	seq        BIGINT NOT NULL,
	message_id TEXT NOT NULL,
	kind       TEXT NOT NULL,
	report     TEXT NOT NULL, -- JSON; it holds no text and no address
	created_at BIGINT NOT NULL,
	PRIMARY KEY (install_id, seq)
);
CREATE INDEX orphan_reports_age ON orphan_reports (created_at);
