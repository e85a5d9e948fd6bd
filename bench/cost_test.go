//go:build linux

package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// sizes are the databases that a cost is compared between.
var sizes = []int{10_000, 100_000, 1_000_000}

// BenchmarkLook is what a wake costs the reader, from the call of Wait on a database
// that another connection has changed until everything that the change may concern
// has been read: nothing new, a receipt of the one own row or of one of many that are
// followed, one new message, and that where the relay watches as many rows as it does at
// most. All that are followed are looked at each time, as by the relay after a pause.
func BenchmarkLook(b *testing.B) {
	for _, c := range []struct {
		name     string
		followed int64
		change   string
	}{
		{"nothing-new", 0, "UPDATE chat SET last_read_message_timestamp = last_read_message_timestamp + 1 WHERE ROWID = 7"},
		{"receipt", 1, receipt},
		{"receipt-of-100", 100, receipt},
		{"receipt-of-500", 500, receipt},
		{"receipt-of-2000", 2000, receipt},
		{"message", 0, message},
		{"message-watching-500", watched, message},
	} {
		for _, size := range sizes {
			b.Run(fmt.Sprintf("%s/messages=%d", c.name, size), func(b *testing.B) { look(b, database(b, size), c.followed, c.change) })
		}
	}
}

// receipt changes the newest row.
const receipt = "UPDATE message SET date_read = date_read + 1 WHERE ROWID = (SELECT MAX(ROWID) FROM message)"

// message adds a row.
const message = "INSERT INTO message (guid, text, handle_id, service, date, is_finished) VALUES (hex(randomblob(16)), 'hello', 7, 'iMessage', 800000000000000000, 1)"

func look(b *testing.B, path string, follow int64, change string) {
	ctx := context.Background()
	writer, err := sql.Open("sqlite3", "file:"+path+"?_synchronous=OFF&_busy_timeout=10000")
	if err != nil {
		b.Fatal(err)
	}
	defer writer.Close()
	writer.SetMaxOpenConns(1)
	db, err := chatdb.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	mark, err := db.Mark(ctx)
	if err != nil {
		b.Fatal(err)
	}
	w, err := chatdb.NewWatcher(db, time.Second, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	told := follower{db: db}
	if err := told.lookAt(ctx, &told.all, mark.RowID, follow); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	for b.Loop() {
		if _, err := writer.Exec(change); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if _, err := w.Wait(ctx); err != nil {
			b.Fatal(err)
		}
		list, err := db.After(ctx, mark.RowID, 200)
		if err != nil {
			b.Fatal(err)
		}
		if len(list) > 0 {
			mark.RowID = list[len(list)-1].RowID
		}
		if err := told.lookAt(ctx, &told.all, mark.RowID, follow); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1000, "p99-µs")
}
