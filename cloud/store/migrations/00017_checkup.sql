-- +goose Up
-- What a Mac has found when it looked at its preconditions: JSON of a wire.Checkup, ''
-- for never.
ALTER TABLE relays ADD COLUMN checkup TEXT NOT NULL DEFAULT '';
ALTER TABLE relays ADD COLUMN checked_at BIGINT NOT NULL DEFAULT 0; -- Unix ms, when it came
