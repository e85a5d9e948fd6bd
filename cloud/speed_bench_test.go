package cloud_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// quietly is a server as it runs in life: it logs to nobody who reads along.
func quietly(c *cloud.Config) {
	loopback(c)
	c.Log = slog.New(slog.DiscardHandler)
}

func percentile(took []time.Duration, p float64) time.Duration {
	slices.Sort(took)
	return took[min(int(p*float64(len(took))), len(took)-1)]
}

func reportTimes(b *testing.B, took []time.Duration) {
	b.Helper()
	b.ReportMetric(float64(percentile(took, 0.5).Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(percentile(took, 0.99).Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkSendToFrame is the time from a call of Send, before anything is stored, until
// its order has come over the websocket to a relay that is connected.
func BenchmarkSendToFrame(b *testing.B) {
	w := newWorld(b, quietly)
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		_, err := w.service.Send(b.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: fmt.Sprintf("+1415555%04d", i%10_000), Content: "hello"})
		if err != nil {
			b.Fatal(err)
		}
		order := m.order()
		took = append(took, time.Since(began))
		m.report(wire.Report{Kind: wire.Sent, Message: order.Message, Attempt: order.Attempt, GUID: order.Message})
	}
	reportTimes(b, took)
}

// BenchmarkEventToWebhook is the time from a relay's report of a message that came in,
// before anything is stored, until its webhook's request has come.
func BenchmarkEventToWebhook(b *testing.B) {
	w := newWorld(b, quietly)
	url, got := receiver(b, nil)
	w.hook(url, "message.received")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		m.inbound(1)
		next(b, got)
		took = append(took, time.Since(began))
	}
	reportTimes(b, took)
}

// BenchmarkDeliveries has one relay report messages to 50 endpoints: one by one, for the
// time from the report to each endpoint's request, and as fast as it can, for deliveries a
// second. Each pair of runs is without and with one endpoint more, which never answers; the
// figures are medians of the pairs (-benchtime 5x makes five).
func BenchmarkDeliveries(b *testing.B) {
	var rates, p99s, ratios []float64
	for b.Loop() {
		alone, rate := deliver(b, false)
		beside, _ := deliver(b, true)
		rates, p99s, ratios = append(rates, rate), append(p99s, alone), append(ratios, beside/alone)
	}
	for unit, list := range map[string][]float64{"deliveries/s": rates, "p99-ms": p99s, "p99-beside-a-hanging-one": ratios} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], unit)
	}
	b.ReportMetric(0, "ns/op")
}

func deliver(b *testing.B, hanging bool) (p99, rate float64) {
	const hooks, slowly, quickly = 50, 100, 60
	w := newWorld(b, quietly)
	defer w.stop()
	got := make(chan time.Time, 4096)
	for range hooks {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got <- time.Now()
			_, _ = io.Copy(io.Discard, r.Body)
		}))
		defer server.Close()
		w.hook(server.URL, "message.received")
	}
	if hanging {
		ctx, release := context.WithCancel(context.Background())
		url, _ := receiver(b, func(http.ResponseWriter, *http.Request) { <-ctx.Done() })
		defer release()
		w.hook(url, "message.received")
	}
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	var took []time.Duration
	for range slowly {
		began := time.Now()
		m.inbound(1)
		for range hooks {
			took = append(took, (<-got).Sub(began))
		}
	}
	began := time.Now()
	m.inbound(quickly)
	for range hooks * quickly {
		<-got
	}
	return float64(percentile(took, 0.99).Microseconds()) / 1000, hooks * quickly / time.Since(began).Seconds()
}
