-- +goose Up
-- What test keys work on is an account of its own, so that its data cannot mix with
-- any other: test_of is the id of the account whose keys lead to it, '' for an ordinary one.
ALTER TABLE accounts ADD COLUMN test_of TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX accounts_test ON accounts (test_of) WHERE test_of <> '';
