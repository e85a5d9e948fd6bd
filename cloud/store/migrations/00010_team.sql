-- +goose Up
-- What a plan allows. 0 is no limit, and nothing is closed unless somebody closes it.
ALTER TABLE accounts ADD COLUMN messages_per_minute BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN max_numbers BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN max_members BIGINT NOT NULL DEFAULT 0;  -- people and open invitations
ALTER TABLE accounts ADD COLUMN no_media BIGINT NOT NULL DEFAULT 0;     -- no files in sends
ALTER TABLE accounts ADD COLUMN no_receipts BIGINT NOT NULL DEFAULT 0;  -- no message.delivered for webhooks

-- The right to become a member, once. Only the hash of its token is kept.
CREATE TABLE invitations (
	id         TEXT PRIMARY KEY,
	account_id TEXT NOT NULL REFERENCES accounts (id),
	email      TEXT NOT NULL, -- lower case
	role       TEXT NOT NULL,
	token_hash TEXT NOT NULL UNIQUE,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitations_email ON invitations (account_id, email);
CREATE INDEX members_account ON members (account_id, created_at);

-- How deliveries to a webhook are tried again.
ALTER TABLE webhooks ADD COLUMN retry_preset TEXT NOT NULL DEFAULT ''; -- '' ours, textingblue or sendblue
ALTER TABLE webhooks ADD COLUMN exhausted BIGINT NOT NULL DEFAULT 0;   -- deliveries given up in a row
