//go:build linux

package bench_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"bluerelay/chatdb"
)

// BenchmarkReadAll reads and decodes every message of a database of a million in
// batches, as an import does, in a process of its own.
func BenchmarkReadAll(b *testing.B) {
	const messages = 1_000_000
	path := database(b, messages)
	var took time.Duration
	var memory int64
	for b.Loop() {
		cmd := exec.Command(os.Args[0], path, fmt.Sprint(messages))
		cmd.Env, cmd.Stderr = append(os.Environ(), role+"=all"), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var ns, bytes int64
		last := out[strings.LastIndex(string(out), "used"):]
		if _, err := fmt.Sscanf(string(last), "used %d %d", &ns, &bytes); err != nil {
			b.Fatalf("%v in %s", err, last)
		}
		took, memory = took+time.Duration(ns), max(memory, bytes)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(messages*b.N)/took.Seconds(), "messages/s")
	b.ReportMetric(float64(memory)/(1<<20), "MiB")
}

// runAll reads everything and prints the time and the memory that it took.
func runAll(path string, messages int) error {
	ctx := context.Background()
	began := time.Now()
	db, err := chatdb.Open(ctx, path)
	if err != nil {
		return err
	}
	defer db.Close()
	var at int64
	n := 0
	for {
		list, err := db.After(ctx, at, 500)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			if m.Text == "" || m.Chat == nil {
				return fmt.Errorf("row %d came without its text or its chat", m.RowID)
			}
		}
		n += len(list)
		at = list[len(list)-1].RowID
	}
	if n < messages {
		return fmt.Errorf("%d messages were read, want %d", n, messages)
	}
	fmt.Println("used", time.Since(began).Nanoseconds(), resident())
	return nil
}
