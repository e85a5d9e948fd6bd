package cloud

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bluerelay/cloud/store"
)

// lineCollector reads from the tables what is true now, at each scrape.
type lineCollector struct{ store *store.Store }

// collectTimeout is how long a scrape may keep the database.
const collectTimeout = 5 * time.Second

func lineDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("bluecloud_"+name, help, labels, nil)
}

// What is read; line is the id of a line, never its number.
var (
	queueDesc     = lineDesc("line_queue_messages", "Messages that wait or are being sent.", "line")
	oldestDesc    = lineDesc("line_queue_oldest_seconds", "Age of the first of them, 0 without any.", "line")
	connectedDesc = lineDesc("line_relay_connected", "1 while the line's Mac is connected.", "line")
	readyDesc     = lineDesc("line_relay_ready", "1 while the line's Mac is connected and able to send.", "line")
	seenDesc      = lineDesc("line_relay_last_seen_timestamp_seconds", "When the line's Mac was last heard of, noted once a minute; 0 for never.", "line")
	alarmsDesc    = lineDesc("line_relay_alarms", "How often the line's Mac has reported what must not happen, since it was paired.", "line")
	unknownDesc   = lineDesc("messages_unknown", "Messages that may have gone out, of which nothing is known yet.")
	pendingDesc   = lineDesc("webhook_pending_deliveries", "Deliveries that wait, those to webhooks that are switched off included.")
)

// Describe implements prometheus.Collector.
func (c lineCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueDesc, oldestDesc, connectedDesc, readyDesc, seenDesc, alarmsDesc, unknownDesc, pendingDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c lineCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), collectTimeout)
	defer cancel()
	lines, err := c.store.LineStates(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(queueDesc, err)
	}
	now := time.Now().UnixMilli()
	for _, l := range lines {
		gauge := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, l.LineID)
		}
		gauge(queueDesc, float64(l.Open))
		age := 0.0
		if l.Open > 0 {
			age = seconds(now - l.OldestAt)
		}
		gauge(oldestDesc, age)
		gauge(connectedDesc, truth(l.Connected))
		gauge(readyDesc, truth(l.Connected && l.Ready))
		gauge(seenDesc, seconds(l.LastSeenAt))
		gauge(alarmsDesc, float64(l.Alarms))
	}
	total := func(d *prometheus.Desc, read func(context.Context) (int64, error)) {
		n, err := read(ctx)
		if err != nil {
			out <- prometheus.NewInvalidMetric(d, err)
			return
		}
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n))
	}
	total(unknownDesc, c.store.CountUnknown)
	total(pendingDesc, c.store.CountPending)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
