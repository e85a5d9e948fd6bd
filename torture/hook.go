package main

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// hook is a webhook receiver that remembers what it was told.
type hook struct {
	server *http.Server
	url    string
	quiet  atomic.Bool // it answers well to everything

	mu     sync.Mutex
	events map[string]event     // by id
	clash  []string             // ids that came with two bodies
	last   map[string]bool      // messages that have got somewhere
	doubts map[string]time.Time // when a message became unknown
	posts  int
}

// event is what a webhook tells.
type event struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		ID      string `json:"id"`
		Content string `json:"content"`
		Status  string `json:"status"`
	} `json:"data"`
	sum     [sha256.Size]byte
	refused bool
}

// refusals is how often, in thousandths, an event is refused when it comes first.
const refusals = 5

func newHook() (*hook, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hook{url: "http://" + ln.Addr().String(), events: make(map[string]event), last: make(map[string]bool), doubts: make(map[string]time.Time)}
	h.server = &http.Server{Handler: http.HandlerFunc(h.receive)}
	go h.server.Serve(ln) // ends with close
	return h, nil
}

func (h *hook) close() { h.server.Close() }

func (h *hook) receive(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	var e event
	if err != nil || json.Unmarshal(data, &e) != nil {
		return // the sender was killed in the middle
	}
	e.sum = sha256.Sum256(data)
	id := r.Header.Get("webhook-id")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.posts++
	old, known := h.events[id]
	if known && old.sum != e.sum {
		h.clash = append(h.clash, id)
	}
	if !known && !h.quiet.Load() && rand.N(1000) < refusals {
		e.refused = true
		w.WriteHeader(http.StatusInternalServerError)
	} else if known {
		e.refused = false
	}
	h.events[id] = e
	if final(e.Type) {
		h.last[e.Data.ID] = true
	}
	if e.Type == "message.unknown" {
		h.doubts[e.Data.ID] = e.Timestamp
	}
}

// final tells whether a message has got somewhere with that event.
func final(kind string) bool {
	switch kind {
	case "message.sent", "message.delivered", "message.failed", "message.read", "message.unknown":
		return true
	}
	return false
}

// ended tells whether a message has a final event.
func (h *hook) ended(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[id]
}

// told counts the different events of a type by message.
func (h *hook) told(kind string) map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := make(map[string]int)
	for _, e := range h.events {
		if e.Type == kind && !e.refused {
			n[e.Data.ID]++
		}
	}
	return n
}

// unknowns are the messages of which it was said that nobody knows, and when.
func (h *hook) unknowns() map[string]time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.doubts)
}

// clashes are the events that came with two bodies.
func (h *hook) clashes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.clash...)
}
