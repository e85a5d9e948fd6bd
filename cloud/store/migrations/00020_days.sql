-- +goose Up
-- What lists by stretches of time are counted by, and where they need not look. A day is
-- created_at in whole days of UTC.
--
-- How many messages that are not hidden were created on a day, by class.
CREATE TABLE message_days (
	account_id TEXT NOT NULL REFERENCES accounts (id),
	day        BIGINT NOT NULL,
	class      BIGINT NOT NULL,
	n          BIGINT NOT NULL,
	PRIMARY KEY (account_id, day, class)
);
CREATE INDEX message_days_n ON message_days (account_id, day, class, n);
-- When the messages of a day were sent and changed, at the earliest and at the latest.
CREATE TABLE day_bounds (
	account_id   TEXT NOT NULL REFERENCES accounts (id),
	day          BIGINT NOT NULL,
	dated_from   BIGINT NOT NULL,
	dated_to     BIGINT NOT NULL,
	updated_from BIGINT NOT NULL,
	updated_to   BIGINT NOT NULL,
	PRIMARY KEY (account_id, day)
);
INSERT INTO message_days (account_id, day, class, n) SELECT account_id, created_at / 86400000, class, COUNT(*) FROM messages
	WHERE class > 0 GROUP BY account_id, created_at / 86400000, class;
INSERT INTO day_bounds (account_id, day, dated_from, dated_to, updated_from, updated_to) SELECT account_id, created_at / 86400000, MIN(dated_at), MAX(dated_at), MIN(updated_at), MAX(updated_at)
	FROM messages GROUP BY account_id, created_at / 86400000;
