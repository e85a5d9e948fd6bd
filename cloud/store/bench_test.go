package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
)

// BenchmarkWrite stores messages durably, 64 clients at once, on both engines in one
// run. The PostgreSQL server is on this machine and waits for its disk.
func BenchmarkWrite(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchmarkWrite(b, filepath.Join(b.TempDir(), "cloud.db")) })
	b.Run("postgres", func(b *testing.B) { benchmarkWrite(b, storetest.Start(b, "fsync=on").New(b, "bench")) })
}

var benchmarked atomic.Int64

func benchmarkWrite(b *testing.B, dsn string) {
	s := openAt(b, dsn)
	write(b, s, fixtures)
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m := message(fmt.Sprintf("msg_%d", benchmarked.Add(1)))
			if err := s.Write(context.Background(), func(tx *store.Tx) error { return tx.CreateMessage(&m) }); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sends/s")
}
