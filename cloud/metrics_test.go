package cloud_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// scrape is what Prometheus reads.
func (w *world) scrape() string {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.service.Metrics().ServeHTTP(rec, httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/metrics", nil))
	if rec.Code != http.StatusOK {
		w.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// figures fails where a line of the scrape is missing.
func (w *world) figures(want ...string) {
	w.t.Helper()
	page := w.scrape()
	for _, line := range want {
		if !strings.Contains(page, "\n"+line+"\n") {
			name, _, _ := strings.Cut(line, "{")
			w.t.Errorf("missing %s, there is\n%s", line, strings.Join(regexp.MustCompile(`(?m)^`+strings.Fields(name)[0]+`.*$`).FindAllString(page, -1), "\n"))
		}
	}
}

// A story, and what its figures say: of messages, their Mac, webhooks and alarms.
func TestMetricsTellTheStory(t *testing.T) {
	w := newWorld(t, func(c *cloud.Config) {
		loopback(c)
		c.WebhookSchedule = []time.Duration{}
	})
	line := fmt.Sprintf(`{line=%q}`, w.line.ID)
	w.figures("bluecloud_line_queue_messages"+line+" 0", "bluecloud_line_relay_connected"+line+" 0", "bluecloud_line_relay_last_seen_timestamp_seconds"+line+" 0",
		"bluecloud_messages_unknown 0", `bluecloud_alarms_total{code="duplicate_row"} 0`, `bluecloud_webhook_deliveries_total{state="failed"} 0`)
	url, got := receiver(t, nil)
	broken, refused := receiver(t, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusGone) })
	w.hook(url, "message.sent", "message.delivered")
	w.hook(broken, "message.delivered")
	first, second := w.send("+14155552001"), w.send("+14155552002")
	w.figures("bluecloud_messages_accepted_total 2", "bluecloud_line_queue_messages"+line+" 2")
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	m.order()
	m.order()
	at := time.Now().UnixMilli()
	for range 2 { // the second time it is no news
		m.report(wire.Report{Kind: wire.Accepted, Message: first, Attempt: 1, At: at})
	}
	m.report(wire.Report{Kind: wire.Sent, Message: first, Attempt: 1, At: at})
	m.report(wire.Report{Kind: wire.Delivered, Message: first, Attempt: 1, At: at + 1500})
	m.report(wire.Report{Kind: wire.Unknown, Message: second, Attempt: 1, At: at, Fault: &wire.Fault{Code: "x", Text: "x"}})
	m.report(wire.Report{Kind: wire.Alarm, Message: first, Attempt: 1, At: at, Fault: &wire.Fault{Code: wire.FaultDuplicate, Text: "x"}})
	m.report(wire.Report{Kind: wire.Alarm, Message: first, Attempt: 1, At: at, Fault: &wire.Fault{Code: "made_up", Text: "x"}})
	next(t, got)
	next(t, got)
	next(t, refused)
	eventually(t, "all deliveries have ended", func() bool {
		page := w.scrape()
		return strings.Contains(page, `bluecloud_webhook_deliveries_total{state="done"} 2`) && strings.Contains(page, `bluecloud_webhook_deliveries_total{state="failed"} 1`)
	})
	w.figures(
		"bluecloud_line_queue_messages"+line+" 0", "bluecloud_line_queue_oldest_seconds"+line+" 0", "bluecloud_line_relay_connected"+line+" 1", "bluecloud_line_relay_ready"+line+" 1",
		"bluecloud_line_relay_alarms"+line+" 2", "bluecloud_messages_unknown 1", "bluecloud_webhook_pending_deliveries 0",
		`bluecloud_events_total{type="message.sent"} 1`, `bluecloud_events_total{type="message.delivered"} 1`, `bluecloud_events_total{type="message.unknown"} 1`,
		`bluecloud_alarms_total{code="duplicate_row"} 1`, `bluecloud_alarms_total{code="other"} 1`,
		"bluecloud_relay_lag_seconds_count 1", `bluecloud_relay_lag_seconds_bucket{le="60"} 1`,
		"bluecloud_message_accept_to_sent_seconds_count 1", "bluecloud_message_sent_to_delivered_seconds_count 1", "bluecloud_message_sent_to_delivered_seconds_sum 1.5",
		`bluecloud_message_sent_to_delivered_seconds_bucket{le="1"} 0`, `bluecloud_message_sent_to_delivered_seconds_bucket{le="2.5"} 1`,
		"bluecloud_webhook_lag_seconds_count 3", `bluecloud_webhook_attempts_total{result="2xx"} 2`, `bluecloud_webhook_attempts_total{result="4xx"} 1`, `bluecloud_webhooks_disabled_total{reason="gone"} 1`,
	)
	page := w.scrape()
	if personal := regexp.MustCompile(`\+?1?415555\d{4}|` + secretText + `|whsec_`).FindString(page); personal != "" {
		t.Errorf("%q is in the metrics", personal)
	}
	if !regexp.MustCompile(`(?m)^bluecloud_commit_writers_count [1-9]`).MatchString(page) || !strings.Contains(page, "\ngo_goroutines ") || !strings.Contains(page, "\nprocess_start_time_seconds ") {
		t.Errorf("the writer or the process is not measured:\n%s", page)
	}
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// However odd requests are, they make no new label: the routes are the router's.
func TestRequestsAreMeasuredByRoute(t *testing.T) {
	w := newWorld(t, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/things/{id}", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("GET /v1/stream", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		if err := http.NewResponseController(rw).Flush(); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNotFound) })
	outer := http.NewServeMux()
	outer.Handle("/v1/", w.service.Measured("blue", mux))
	for _, r := range [][2]string{{"GET", "/v1/things/+14155551234"}, {"GET", "/v1/things/b"}, {"GET", "/v1/nothing/x"}, {"BREW", "/v1/things/c"}, {"GET", "/v1/stream"}} {
		outer.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), r[0], r[1], nil))
	}
	w.figures(
		`bluecloud_http_requests_total{dialect="blue",route="GET /v1/things/{id}",status="2xx"} 2`, `bluecloud_http_requests_total{dialect="blue",route="/",status="4xx"} 2`,
		`bluecloud_http_requests_total{dialect="blue",route="GET /v1/stream",status="2xx"} 1`, `bluecloud_http_request_seconds_count{dialect="blue",route="GET /v1/things/{id}"} 2`,
	)
	page := w.scrape()
	if strings.Contains(page, `bluecloud_http_request_seconds_count{dialect="blue",route="GET /v1/stream"}`) || strings.Contains(page, "BREW") || strings.Contains(page, "1415555") {
		t.Error("a stream counts as slow, or a request made a label")
	}
}

// A database that cannot be read is a hole in the page and a line in the log, and what
// is counted here is still told.
func TestMetricsWithoutTheDatabase(t *testing.T) {
	w := newWorld(t, nil)
	w.stop()
	page := w.scrape()
	if !strings.Contains(page, "\nbluecloud_messages_accepted_total 0\n") || strings.Contains(page, "bluecloud_messages_unknown ") || !w.logs.has("metrics.failed") {
		t.Errorf("%s", page)
	}
}
