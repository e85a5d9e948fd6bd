-- +goose Up
-- Webhooks that were removed while deliveries waited for them. Those may be very many: they
-- are taken away little by little, and this remembers it through a restart.
CREATE TABLE removed_webhooks (
	id TEXT PRIMARY KEY
);

-- Files whose time is over are given up also where none of the places for fetching is free.
CREATE INDEX fetches_give_up ON fetches (give_up_at);
