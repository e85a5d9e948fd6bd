package textingblue_test

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"bluerelay/cloud"
)

// BenchmarkStreams follows one account with 1,000 event streams at once, has its Mac report
// a message, and tells how long after the report's beginning half of the streams, and the
// last of them, have it.
func BenchmarkStreams(b *testing.B) {
	const followers = 1000
	w := newWorld(b, func(c *cloud.Config) { c.Log = slog.New(slog.DiscardHandler) })
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	got := make(chan time.Time, followers)
	for range followers {
		s, status := w.follow("")
		if s == nil {
			b.Fatalf("a stream is refused with %d", status)
		}
		go func() {
			for one := range s.blocks {
				if one.data != "" {
					got <- time.Now()
				}
			}
		}()
	}
	var half, last []time.Duration
	for b.Loop() {
		began := time.Now()
		m.inbound(1)
		var took []time.Duration
		for range followers {
			took = append(took, (<-got).Sub(began))
		}
		slices.Sort(took)
		half, last = append(half, took[followers/2]), append(last, took[followers-1])
	}
	slices.Sort(half)
	slices.Sort(last)
	b.ReportMetric(float64(half[len(half)/2].Microseconds())/1000, "half-ms")
	b.ReportMetric(float64(last[len(last)/2].Microseconds())/1000, "last-ms")
	b.ReportMetric(0, "ns/op")
}
