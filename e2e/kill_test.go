package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/simulator"
)

// receiver is a webhook receiver that remembers the bodies by event id.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string]string // by webhook-id
	clash  []string          // ids that came with two bodies
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{bodies: make(map[string]string)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		data, err := io.ReadAll(req.Body)
		if err != nil {
			return // the sender was killed in the middle
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		id := req.Header.Get("webhook-id")
		if old, ok := r.bodies[id]; ok && old != string(data) {
			r.clash = append(r.clash, id)
		}
		r.bodies[id] = string(data)
	}))
	t.Cleanup(r.Close)
	return r
}

// counts tells how many events of a type came for each text.
func (r *receiver) counts(t testing.TB, kind string) map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := make(map[string]int)
	for _, body := range r.bodies {
		e := decode[struct {
			Type string
			Data struct{ Content string }
		}](t, body)
		if e.Type == kind {
			n[e.Data.Content]++
		}
	}
	return n
}

// Both programs are killed with -9 at random, again and again, while 500 messages go
// out and 100 come in. The judge is the simulated Messages' own log, not our code:
// whatever was accepted left the Mac once, whatever was committed there arrived
// once, and every state ends where it belongs.
func TestKillBoth(t *testing.T) {
	const outbound, inbound, people = 500, 100, 25
	w := newWorld(t, 25)
	hook := newReceiver(t)
	status, body, err := w.call("POST", "/v1/webhooks", map[string]any{"url": hook.URL, "events": []string{"message.received", "message.sent"}})
	if err != nil || status != http.StatusCreated {
		t.Fatal(status, body, err)
	}
	w.startRelay()

	stop := make(chan struct{})
	var nemesis, writers sync.WaitGroup
	var kills atomic.Int64
	nemesis.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20*time.Millisecond + rand.N(150*time.Millisecond)):
			}
			kills.Add(1)
			if rand.N(2) == 0 {
				w.cloud.kill()
				w.startCloud()
			} else {
				w.relay.kill()
				w.startRelay()
			}
		}
	})
	accepted := make(map[string]string) // content by id
	writers.Go(func() {
		for i := 0; len(accepted) < outbound && !t.Failed(); i++ {
			content := fmt.Sprintf("outbound %d", i)
			// A reply that is lost leaves open whether the message was stored; such a
			// one is not repeated and counts neither way.
			status, body, err := w.call("POST", "/v1/messages/send", map[string]string{"to": fmt.Sprintf("+1415555%04d", i%people), "from": line, "content": content})
			if err == nil && status == http.StatusAccepted {
				accepted[decode[message](t, body).ID] = content
			} else {
				<-time.After(20 * time.Millisecond) // the server is being killed; do not spin
			}
		}
	})
	writers.Go(func() {
		for i := range inbound {
			_, err := simulator.Receive(t.Context(), filepath.Join(w.dir, "mac"), simulator.Inbound{From: fmt.Sprintf("+1415555%04d", i%people), Text: fmt.Sprintf("inbound %d", i)})
			if err != nil {
				t.Errorf("receive: %v", err)
				return
			}
			<-time.After(rand.N(80 * time.Millisecond)) // spread over the whole run
		}
	})
	writers.Wait()
	eventually(t, 60*time.Second, "enough kills", func() bool { return kills.Load() >= 60 })
	close(stop)
	nemesis.Wait()
	t.Logf("%d kills", kills.Load())

	open := accepted
	eventually(t, 120*time.Second, "all messages delivered", func() bool {
		for id := range open {
			if w.get(id).Status != "delivered" {
				return false
			}
			delete(open, id)
		}
		return true
	})
	eventually(t, 60*time.Second, "all inbound messages", func() bool { return len(w.all("direction=inbound")) >= inbound })
	w.judge(t, inbound)
	eventually(t, 120*time.Second, "all webhooks", func() bool {
		return len(hook.counts(t, "message.received")) == inbound && len(hook.counts(t, "message.sent")) >= outbound
	})
	for text, n := range hook.counts(t, "message.received") {
		if n != 1 {
			t.Errorf("%d different events say that %q was received", n, text)
		}
	}
	if len(hook.clash) > 0 {
		t.Errorf("events came with two bodies: %v", hook.clash)
	}
}

// judge compares what the API says with what the simulated Messages did.
func (w *world) judge(t *testing.T, inbound int) {
	t.Helper()
	effects, err := simulator.Effects(filepath.Join(w.dir, "mac"))
	if err != nil {
		t.Fatal(err)
	}
	left := make(map[string]int)
	for _, e := range effects {
		left[e.SHA256]++
	}
	texts := make(map[string]int)
	for _, m := range w.all("direction=outbound") {
		sum := sha256.Sum256([]byte(m.Content))
		if n := left[hex.EncodeToString(sum[:])]; n != 1 {
			t.Errorf("message %s (%s) left the Mac %d times", m.ID, m.Status, n)
		}
		texts[m.Content]++
	}
	if len(texts) != len(left) {
		t.Errorf("%d different messages are known, %d have left the Mac", len(texts), len(left))
	}
	seen := make(map[string]int)
	for _, m := range w.all("direction=inbound") {
		seen[m.Content]++
	}
	for i := range inbound {
		if n := seen[fmt.Sprintf("inbound %d", i)]; n != 1 {
			t.Errorf("inbound message %d arrived %d times", i, n)
		}
	}
}
