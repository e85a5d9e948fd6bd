-- +goose Up
-- What waits and is to be ended a part at a time: all on a line that was removed, or all to a
-- person who has opted out. A row is there while some of it may be left.
CREATE TABLE endings (
	account_id TEXT NOT NULL REFERENCES accounts (id),
	line_id    TEXT NOT NULL, -- '' for a person's
	address    TEXT NOT NULL, -- the person's, '' for a line's
	PRIMARY KEY (account_id, line_id, address)
);

-- How many messages that count against its plan an account had sent in the calendar month
-- (UTC) of the last one: year * 12 + month - 1.
ALTER TABLE accounts ADD COLUMN sent_month BIGINT NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN sent_in_month BIGINT NOT NULL DEFAULT 0;

-- Counted from the messages. From 1 March 2000 (day 11017) until 2100 each four years have 1461
-- days and end with the leap day, and months that begin in March are 153 days every five.
CREATE TABLE sent_days AS SELECT account_id, created_at / 86400000 - 11017 AS day, COUNT(*) AS n FROM messages
	WHERE direction = 'outbound' AND origin = '' AND ABS(class) % 16 <> 8 GROUP BY account_id, created_at / 86400000 - 11017;
CREATE TABLE sent_months AS SELECT account_id, (2000 + year) * 12 + 2 + (5 * (day - 1461 * year / 4) + 2) / 153 AS month, n
	FROM (SELECT account_id, day, n, (4 * day + 3) / 1461 AS year FROM sent_days) AS days;
UPDATE accounts SET sent_month = COALESCE((SELECT MAX(month) FROM sent_months AS s WHERE s.account_id = accounts.id), 0);
UPDATE accounts SET sent_in_month = CAST(COALESCE((SELECT SUM(n) FROM sent_months AS s WHERE s.account_id = accounts.id AND s.month = accounts.sent_month), 0) AS BIGINT);
DROP TABLE sent_days;
DROP TABLE sent_months;
