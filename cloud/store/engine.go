package store

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/pressly/goose/v3"
)

// engine is what the databases must be told in words of their own. All other SQL of
// this package is one text for both.
type engine struct {
	dialect goose.Dialect
	// begin starts a transaction that may write. Then enter, where there is one, waits
	// until no other process is in such a transaction, and reads the transaction's name.
	// With both, whoever writes sees what was written before it and nothing changes under
	// it, as the rules of package cloud suppose.
	begin, enter string
	// server tells that the database is a program of its own, to which a connection may
	// be lost.
	server bool
	// parameters writes the parameters of a statement, $1 in the code, as the engine takes
	// them.
	parameters func(query string) string
	// findTexts selects, as hit, the numbers of an account's messages that hold words: %[1]s is the
	// docid before its first one, %[2]s what match makes of the words, %[3]s its last docid.
	findTexts string
	// match asks for texts with all of the words, the last of which may be the beginning of
	// one. Words are letters and digits: quoted they are nothing else, whatever they spell.
	match func(words []string) string
}

var sqlite = &engine{
	dialect:   goose.DialectSQLite3,
	begin:     "BEGIN IMMEDIATE",
	findTexts: "SELECT docid - %[1]s AS hit FROM message_texts WHERE message_texts MATCH %[2]s AND docid BETWEEN %[1]s AND %[3]s",
	match:     func(words []string) string { return `"` + strings.Join(words, `" "`) + `*"` },
	parameters: func(query string) string {
		// SQLite takes $10 for a name and numbers names as they appear; ?10 is the tenth.
		return looked.ReplaceAllString(strings.ReplaceAll(query, "$", "?"), "$1+$2")
	},
}

// looked finds the parameters whose values SQLite wants to see when it plans: those that
// stand alone after = or LIMIT (sqlite3ExprIsInteger since 3.46). Whenever another value is
// bound, which is each time, it would plan the statement anew, at several times the cost
// of running it. Behind a plus, which changes nothing, it does not look at them.
var looked = regexp.MustCompile(`(= |LIMIT )(\?[0-9]+)`)

// The numbers of the advisory locks are "blue" in ASCII and the one after it; the
// second part keeps two schemas of one database apart.
var postgres = &engine{
	dialect: goose.DialectPostgres,
	begin:   "BEGIN ISOLATION LEVEL READ COMMITTED",
	enter:   "SELECT CAST(pg_current_xact_id() AS TEXT) FROM pg_advisory_xact_lock(1651275110, hashtext(current_schema()))",
	server:  true,
	findTexts: `SELECT seq AS hit FROM messages WHERE account_id = (SELECT id FROM accounts WHERE ordinal BETWEEN CAST(%[1]s AS BIGINT) / 1099511627776 AND CAST(%[3]s AS BIGINT) / 1099511627776)
		AND ` + strings.ReplaceAll(wordsPostgres, "%", "%%") + ` @@ to_tsquery('simple', %[2]s)`,
	match:      func(words []string) string { return "'" + strings.Join(words, "' & '") + "':*" },
	parameters: func(query string) string { return query },
}

const (
	// postgresClaim makes the session the one that serves the database.
	postgresClaim = "SELECT pg_advisory_lock(1651275109, hashtext(current_schema()))"
	// postgresDurable makes a commit wait for the disk where the server's or the role's
	// settings say that it need not; a stronger setting stays.
	postgresDurable = "SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off'"
	postgresLook    = "SELECT CAST(current_setting('server_version_num') AS INTEGER), current_setting('server_encoding'), current_setting('fsync')"
	// postgresSettled waits until no transaction that may write is under way.
	postgresSettled = "SELECT pg_advisory_unlock(1651275110, hashtext(current_schema())) FROM pg_advisory_lock(1651275110, hashtext(current_schema()))"
	postgresOutcome = "SELECT COALESCE(pg_xact_status(CAST(CAST($1 AS TEXT) AS xid8)), '')"
)

// text prepares arguments: PostgreSQL keeps neither a NUL nor what is no UTF-8, and what
// a Mac reports may hold both. So that the databases do not differ, both get U+FFFD
// instead.
func text(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}
