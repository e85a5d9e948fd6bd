package e2e_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
)

// report gives the median and the 99th percentile of latencies, in milliseconds.
func report(b *testing.B, d []time.Duration) {
	slices.Sort(d)
	at := func(p float64) float64 { return float64(d[int(p*float64(len(d)-1))].Microseconds()) / 1000 }
	b.ReportMetric(at(0.50), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAccept is the time from a POST to its 202, which waits for the disk.
// With more clients their messages share commits.
func BenchmarkAccept(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			w := newWorld(b, 25) // its relay stays off: this measures the cloud
			transport := &http.Transport{MaxIdleConnsPerHost: clients}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport}
			took := make([][]time.Duration, clients)
			jobs := make(chan int)
			done := make(chan struct{})
			for c := range clients {
				go func() {
					for i := range jobs {
						began := time.Now()
						req, _ := http.NewRequest("POST", w.url()+"/v1/messages/send", strings.NewReader(
							fmt.Sprintf(`{"to":"+1415555%04d","from":"%s","content":"message %d"}`, i%10_000, line, i)))
						req.Header.Set("x-api-key", w.key)
						resp, err := client.Do(req)
						if err != nil || resp.StatusCode != http.StatusAccepted {
							b.Errorf("send: %v", err)
							continue
						}
						// Read to its end, or the connection could not be used again.
						_, _ = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						took[c] = append(took[c], time.Since(began))
					}
					done <- struct{}{}
				}()
			}
			began, used := time.Now(), cpuTime(b, w.cloud)
			for i := 0; b.Loop(); i++ {
				jobs <- i
			}
			close(jobs)
			for range clients {
				<-done
			}
			b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "accepted/s")
			// It depends less on what else the machine does than the rate.
			b.ReportMetric(float64((cpuTime(b, w.cloud)-used).Microseconds())/float64(b.N), "server-cpu-µs/message")
			report(b, slices.Concat(took...))
		})
	}
}

// cpuTime is what a process has used of the processors, or 0 where Linux does not say.
func cpuTime(b *testing.B, p *process) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// proc_pid_stat(5): after the name in brackets, utime and stime are the 12th and 13th, in
	// hundredths of a second.
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err := errors.Join(err, err2); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkPostToOsascript is the time from the start of a POST to the first
// instruction of osascript, with both programs apart and every step on disk: the
// message, its assignment, the order in the journal, the arming, the shim's marker.
func BenchmarkPostToOsascript(b *testing.B) {
	w := newWorld(b, 25)
	program := filepath.Join(w.dir, "osascript")
	if out, err := exec.Command("gcc", "-O2", "-o", program, "testdata/osascript.c").CombinedOutput(); err != nil {
		b.Fatalf("%v %s", err, out)
	}
	if err := os.WriteFile(program+".target", []byte(w.mac.Osascript()), 0o600); err != nil {
		b.Fatal(err)
	}
	w.relay = start(b, bluerelay, "run", "--state", w.state(), "--chat-db", w.mac.ChatDB(), "--osascript", program)
	starts := func() []string {
		data, err := os.ReadFile(program + ".starts")
		if err != nil {
			return nil
		}
		return strings.Fields(string(data))
	}
	w.relay.out.await(b, "link.up", 10*time.Second)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		m := w.send("+14155551234", fmt.Sprintf("message %d", i))
		eventually(b, 10*time.Second, "osascript", func() bool { return len(starts()) > i })
		ns, err := strconv.ParseInt(starts()[i], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Unix(0, ns).Sub(began))
		b.StopTimer()
		eventually(b, 10*time.Second, "sent", func() bool { s := w.get(m.ID).Status; return s == "sent" || s == "delivered" })
		b.StartTimer()
	}
	report(b, took)
}

// BenchmarkInboundToWebhook is the time from the commit of an inbound row, with its
// chat, to the arrival of the webhook's request.
func BenchmarkInboundToWebhook(b *testing.B) {
	w := newWorld(b, 25)
	arrived := make(chan time.Time, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- time.Now() }))
	defer hook.Close()
	if status, body, err := w.call("POST", "/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"message.received"}}); err != nil || status != 201 {
		b.Fatal(status, body, err)
	}
	w.startRelay()
	w.relay.out.await(b, "chatdb.reading", 10*time.Second)
	w.relay.out.await(b, "link.up", 10*time.Second)
	if err := w.mac.Stop(context.Background()); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+w.mac.ChatDB()+"?_txlock=immediate&_busy_timeout=5000")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	mustExec(b, db, "INSERT INTO handle (ROWID, id, service) VALUES (900, '+14155551234', 'iMessage')")
	mustExec(b, db, "INSERT INTO chat (ROWID, guid, style, chat_identifier, service_name) VALUES (900, 'any;-;+14155551234', 45, '+14155551234', 'iMessage')")
	mustExec(b, db, "INSERT INTO chat_handle_join (chat_id, handle_id) VALUES (900, 900)")
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		_, err = tx.Exec("INSERT INTO message (ROWID, guid, text, handle_id, service, date, is_finished) VALUES (?, ?, 'hello', 900, 'iMessage', ?, 1)",
			10_000+i, fmt.Sprintf("BENCH-%d", i), time.Since(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).Nanoseconds())
		if err == nil {
			_, err = tx.Exec("INSERT INTO chat_message_join (chat_id, message_id) VALUES (900, ?)", 10_000+i)
		}
		if err == nil {
			err = tx.Commit()
		}
		committed := time.Now()
		if err != nil {
			b.Fatal(err)
		}
		select {
		case at := <-arrived:
			took = append(took, at.Sub(committed))
		case <-time.After(10 * time.Second):
			b.Fatalf("no webhook for row %d", i)
		}
	}
	report(b, took)
}

// BenchmarkImport is how fast `bluerelay import` brings messages of the past into a
// cloud on the same machine, from the start of the program to its end.
func BenchmarkImport(b *testing.B) {
	const rows = 100_000
	var took time.Duration
	for b.Loop() {
		w := newWorld(b, 25)
		writePast(b, w.mac.ChatDB(), rows)
		w.pairAgain()
		began := time.Now()
		if done := w.importSince("2024-01-01"); done.New < rows-10 {
			b.Fatalf("%+v", done)
		}
		took += time.Since(began)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(rows*b.N)/took.Seconds(), "messages/s")
}

func mustExec(b *testing.B, db *sql.DB, query string) {
	b.Helper()
	if _, err := db.Exec(query); err != nil {
		b.Fatal(err)
	}
}
