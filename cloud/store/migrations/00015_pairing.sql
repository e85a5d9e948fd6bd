-- +goose Up
-- A setup URL stays known for a while after its end, so that whoever holds it hears why it
-- does not work: '' open, used, or replaced by a newer one of its line.
ALTER TABLE setup_tokens ADD COLUMN ended TEXT NOT NULL DEFAULT '';

-- A secret that was issued to a Mac and that it has not shown yet; '' for none. Until it
-- does, the former one counts too.
ALTER TABLE relays ADD COLUMN next_hash TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX relays_next ON relays (next_hash) WHERE next_hash <> '';
