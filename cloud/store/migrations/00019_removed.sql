-- +goose Up
-- Webhooks that were removed while deliveries waited for them. Those may be very many: they
-- are taken away little by little, and this remembers it through a restart.
CREATE TABLE removed_webhooks (
	id TEXT PRIMARY KEY
);
