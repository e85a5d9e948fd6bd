package cloud

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// metrics is what operators watch. A label never holds a text, an address or a number,
// and has few values: ids of lines, words of our own, patterns of routes. What is
// counted here begins with the process; what the tables know is read when it is asked
// for.
type metrics struct {
	registry *prometheus.Registry

	accepted  prometheus.Counter
	events    *prometheus.CounterVec
	alarms    *prometheus.CounterVec
	lag       prometheus.Histogram
	sent      prometheus.Histogram
	delivered prometheus.Histogram

	hookLag      prometheus.Histogram
	hookTries    *prometheus.CounterVec
	hookEnds     *prometheus.CounterVec
	hookDisabled *prometheus.CounterVec

	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

// Buckets in seconds: of what a machine does, of what waits for people and Macs, and of
// what is quick unless it waits.
var (
	quick = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}
	slow  = []float64{0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43200}
	wide  = slices.Concat(quick, []float64{60, 300, 1800, 7200, 43200})
)

func newMetrics(st *store.Store) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	f := promauto.With(m.registry)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "bluecloud_" + name, Help: help}, labels)
	}
	timer := func(name, help string, buckets []float64) prometheus.Histogram {
		return f.NewHistogram(prometheus.HistogramOpts{Name: "bluecloud_" + name, Help: help, Buckets: buckets})
	}
	m.accepted = f.NewCounter(prometheus.CounterOpts{Name: "bluecloud_messages_accepted_total", Help: "Messages that were stored to be sent."})
	m.events = counter("events_total", "Events that were recorded, by type.", "type")
	m.alarms = counter("alarms_total", "What must not happen: duplicate_row is a message that somebody got twice.", "code")
	m.lag = timer("relay_lag_seconds", "From the answer to a send until the message was in its Mac's journal, waiting included.", wide)
	m.sent = timer("message_accept_to_sent_seconds", "From the answer to a send until its row was reported as sent.", slow)
	m.delivered = timer("message_sent_to_delivered_seconds", "From sent to delivered, both as the Mac saw them.", slow)
	m.hookLag = timer("webhook_lag_seconds", "From an event to the first try to post it.", quick)
	m.hookTries = counter("webhook_attempts_total", "Tries to post an event, by the class of the answer or what kept it from one.", "result")
	m.hookEnds = counter("webhook_deliveries_total", "Deliveries that have ended, by how: done or failed.", "state")
	m.hookDisabled = counter("webhooks_disabled_total", "Webhooks that were switched off, by reason.", "reason")
	m.requests = counter("http_requests_total", "Requests to the public APIs, by route and class of status.", "dialect", "route", "status")
	m.latency = f.NewHistogramVec(prometheus.HistogramOpts{Name: "bluecloud_http_request_seconds", Help: "Time until a request was answered; streams are not in it.", Buckets: quick}, []string{"dialect", "route"})
	// What has not happened yet is 0, not missing: an alert on an increase needs that.
	for _, code := range alarmCodes {
		m.alarms.WithLabelValues(code)
	}
	for _, state := range []string{store.DeliveryDone, store.DeliveryFailed} {
		m.hookEnds.WithLabelValues(state)
	}
	m.events.WithLabelValues(eventTypes[wire.StatusUnknown])
	m.watchCommits(st, f)
	m.registry.MustRegister(lineCollector{st}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// watchCommits measures the one writer of the database.
func (m *metrics) watchCommits(st *store.Store, f promauto.Factory) {
	writers := f.NewHistogram(prometheus.HistogramOpts{Name: "bluecloud_commit_writers", Help: "Writers that shared one commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 9)})
	took := f.NewHistogram(prometheus.HistogramOpts{Name: "bluecloud_commit_seconds", Help: "Time of one commit, the work of its writers and the disk included.", Buckets: quick})
	st.WatchCommits(func(n int, d time.Duration) {
		writers.Observe(float64(n))
		took.Observe(d.Seconds())
	})
}

// otherAlarm stands for the codes that a relay makes up.
const otherAlarm = "other"

// alarmCodes are the values of the label code.
var alarmCodes = []string{wire.FaultDuplicate, wire.FaultMisrouted, alarmForeign, alarmUnreadable, otherAlarm}

// alarmed counts an alarm.
func (m *metrics) alarmed(code string) {
	if !slices.Contains(alarmCodes, code) {
		code = otherAlarm
	}
	m.alarms.WithLabelValues(code).Inc()
}

// moved measures a step of a message that was ordered here.
func (m *metrics) moved(msg store.Message, step store.Step) {
	if msg.Origin != "" || msg.Direction != store.Outbound {
		return
	}
	if step.To == wire.StatusAccepted && msg.Attempt == 1 {
		m.lag.Observe(seconds(step.Now - msg.CreatedAt))
	}
	if step.To == wire.StatusSent && msg.SentAt == step.At {
		m.sent.Observe(seconds(step.Now - msg.CreatedAt))
	}
	if step.To == wire.StatusDelivered && msg.DeliveredAt == step.At && msg.SentAt > 0 {
		m.delivered.Observe(seconds(msg.DeliveredAt - msg.SentAt))
	}
}

// seconds are those of milliseconds; a clock that was set back makes none.
func seconds(ms int64) float64 { return max(float64(ms)/1000, 0) }

// tried measures one try to post a delivery that began at a time; d is as it is
// written down.
func (m *metrics) tried(d store.Delivery, began time.Time) {
	if d.Attempt == 1 && d.Kind == "" {
		m.hookLag.Observe(seconds(began.UnixMilli() - d.CreatedAt))
	}
	result := d.Problem
	if d.Response != 0 {
		result = statusClass(d.Response)
	}
	m.hookTries.WithLabelValues(result).Inc()
	if d.State != store.DeliveryPending {
		m.hookEnds.WithLabelValues(d.State).Inc()
	}
}

// statusClass is 2xx for 204, and other for what is no status.
func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx"
}

// Metrics serves the figures in Prometheus' format. Who may see them is for the caller
// to decide.
func (s *Service) Metrics() http.Handler {
	return promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{
		ErrorLog: scrapeLog{s.log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}

// scrapeLog tells why a figure could not be read.
type scrapeLog struct{ log *slog.Logger }

func (l scrapeLog) Println(v ...any) { l.log.Error("metrics.failed", "error", fmt.Sprint(v...)) }

// Measured counts the requests to a public API and how long they take, by the pattern
// of the route that answers.
func (s *Service) Measured(dialect string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		watched := &watchedResponse{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(watched, r)
		// The router has written the pattern into the request.
		s.metrics.requests.WithLabelValues(dialect, r.Pattern, statusClass(watched.status)).Inc()
		if !strings.HasPrefix(watched.Header().Get("Content-Type"), eventStream) {
			s.metrics.latency.WithLabelValues(dialect, r.Pattern).Observe(time.Since(began).Seconds())
		}
	})
}

// watchedResponse remembers the status of an answer.
type watchedResponse struct {
	http.ResponseWriter
	status int
}

// WriteHeader keeps the final status: those below 200 come before it.
func (w *watchedResponse) WriteHeader(status int) {
	if status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *watchedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }
