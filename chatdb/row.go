package chatdb

import (
	"bytes"
	"database/sql/driver"
	"strconv"
	"strings"
	"time"
)

// row is one result row. SQLite enforces no column type, so every reader
// accepts whatever is there and never fails: one odd row must not stop the
// others.
type row []driver.Value

func (r row) int(i int) int64 {
	switch v := r[i].(type) {
	case int64:
		return v
	case float64:
		// Conversion of a float beyond the range of int64 is not defined.
		if v > -1<<63 && v < 1<<63 {
			return int64(v)
		}
	case bool:
		if v {
			return 1
		}
	case string:
		n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n
	case []byte:
		n, _ := strconv.ParseInt(string(bytes.TrimSpace(v)), 10, 64)
		return n
	}
	return 0
}

func (r row) flag(i int) bool { return r.int(i) != 0 }

// text repairs what is not UTF-8.
func (r row) text(i int) string {
	switch v := r[i].(type) {
	case string:
		return strings.ToValidUTF8(v, "\uFFFD")
	case []byte:
		return strings.ToValidUTF8(string(v), "\uFFFD")
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// maxName is the longest name that is taken for one, in bytes: of a row, a person, a
// chat, a service, a file's type. Apple's guids have some 40, an address of e-mail 320 at
// most, and whoever is told of a row has no room for names without end.
const maxName = 1024

// name is text that names something. A longer one is none, like NULL: cut short it would
// name something else.
func (r row) name(i int) string {
	if v := r.text(i); len(v) <= maxName {
		return v
	}
	return ""
}

func (r row) blob(i int) []byte {
	switch v := r[i].(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

func (r row) date(i int) time.Time { return appleTime(r.int(i)) }

const (
	// appleEpoch is 2001-01-01T00:00:00Z in Unix seconds.
	appleEpoch = 978307200

	// nanosecondsFrom separates the two units of a date: seconds before macOS
	// 10.13, whose rows stay as they are in an upgraded database, and
	// nanoseconds since. In seconds this is past the year 30000, in
	// nanoseconds it is 17 minutes after the epoch.
	nanosecondsFrom = 1e12

	// lastSecond is 2126-01-01, in seconds since 2001. Rows are met that hold the largest int64 or a
	// date in a distant future; taken seriously, one would poison every
	// "newest" that is computed from it.
	lastSecond = 3944592000
)

// appleTime converts a date column. Zero, negative values and nonsense are the
// zero time: never.
func appleTime(v int64) time.Time {
	sec, nsec := v, int64(0)
	if v >= nanosecondsFrom {
		sec, nsec = v/1e9, v%1e9
	}
	if sec < 0 || sec > lastSecond || v == 0 {
		return time.Time{}
	}
	return time.Unix(appleEpoch+sec, nsec).UTC()
}

// appleDate is the inverse of appleTime in nanoseconds; a time before 2001 is 0.
func appleDate(t time.Time) int64 {
	sec := t.Unix() - appleEpoch
	switch {
	case sec < 0:
		return 0
	case sec > lastSecond:
		sec = lastSecond
	}
	return sec*1e9 + int64(t.Nanosecond())
}
