package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"bluerelay/simulator"
)

// The load of one line.
const (
	people   = 6   // who write in, and have ordinary conversations
	busy     = 120 // milliseconds between two messages of a conversation, on average
	sameText = 12  // per cent of the messages have a text that others have too
	steered  = 9   // per cent are canceled, as many expire soon
	hurried  = 15  // the same, where orders wait
	pictured = 12  // per cent are sent with a file
	typing   = 6   // per cent of what happens on the Mac is the owner's own typing
)

// traffic is how much is sent and comes in on a line.
type traffic struct {
	friends  int // ordinary conversations
	fickle   int // conversations with people for whom every message is canceled or expires
	ahead    int // messages of one conversation that are not ended yet
	arriving int // milliseconds at most between two things that happen on the Mac
	filed    int // per cent of what comes in has a file
}

// ordinary is for all modes but points, for which sparse is: the machine's time goes to those
// who start again, and messages wait at the relay and not in the cloud.
var (
	ordinary = traffic{friends: people, ahead: 3, arriving: 200, filed: 12}
	sparse   = traffic{friends: 2, fickle: 3, ahead: 1, arriving: 1000, filed: 36}
)

// The recipients whose outcome the simulator chooses.
const (
	notOnIMessage = "+15005550001"
	undelivered   = "+15005550002"
	readsIt       = "+15005550003"
	silentOne     = "+15005550004"
	timesOut      = "+15005550007"
	green         = "+15005550008"
	recovers      = "+15005550009"
)

// load starts who sends and who writes to a line.
func (r *round) load(ctx context.Context, l *line, wg *sync.WaitGroup) {
	for i := range r.traffic.friends {
		to := fmt.Sprintf("+1415555%02d%02d", 10+i, l.number[len(l.number)-1]-'0')
		wg.Go(func() { r.converse(ctx, l, to, busy) })
	}
	for i := range r.traffic.fickle {
		wg.Go(func() { r.converse(ctx, l, fmt.Sprintf("%s%d%02d", fickles, i, l.number[len(l.number)-1]-'0'), 6*busy) })
	}
	specials := []string{notOnIMessage, undelivered, readsIt, silentOne, timesOut, green, recovers}
	for _, to := range specials {
		pause := 1500
		switch {
		case to == silentOne && r.shape.silent:
			pause = 100
		case to == notOnIMessage && l.bySMS:
			pause = 150 // what they lead to is seldom
		case to == silentOne:
			pause = 500
		}
		wg.Go(func() { r.converse(ctx, l, to, pause) })
	}
	wg.Go(func() { r.write(ctx, l) })
}

// fickles is what the numbers of those begin with who may not get what was sent to them.
const fickles = "+14155553"

// converse sends to one person, one message after the other.
func (r *round) converse(ctx context.Context, l *line, to string, pause int) {
	var open []string
	ahead := r.traffic.ahead
	for n := 0; ctx.Err() == nil; n++ {
		if !r.sleep(ctx, time.Duration(1+rand.IntN(2*pause))*time.Millisecond) {
			return
		}
		for len(open) >= ahead {
			kept := open[:0]
			for _, id := range open {
				if !r.hook.ended(id) {
					kept = append(kept, id)
				}
			}
			if open = kept; len(open) >= ahead && !r.sleep(ctx, 20*time.Millisecond) {
				return
			}
		}
		unique := rand.IntN(100) >= sameText
		text := "ok"
		if unique {
			text = fmt.Sprintf("%s to %s, number %d of round %d", l.number, to, n, r.total.Rounds)
		}
		file := ""
		if pause == busy && rand.IntN(100) < pictured {
			file = fmt.Sprintf("p%s-%s-%d.png", l.number[1:], to[1:], n)
		}
		if id := r.send(ctx, l, to, text, file, unique); id != "" {
			open = append(open, id)
		}
	}
}

func (r *round) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// send posts until it has an answer, with one key, so that it is one message whatever
// becomes of the answers. It returns the message's id.
func (r *round) send(ctx context.Context, l *line, to, text, file string, unique bool) string {
	s := sent{line: l.number, to: to, hash: hashOf(text), unique: unique}
	body := map[string]any{"to": to, "from": l.number, "content": text}
	if file != "" {
		body["media_url"] = r.files.url(file)
	}
	steered, cancel, expire := steered, 200, 900 // ms until it is canceled, or its time is over
	if r.shape.queued {
		steered, cancel, expire = hurried, 1500, 3000 // when it waits in the journal
	}
	if strings.HasPrefix(to, fickles) {
		steered, cancel, expire = 50, 0, 5000
	}
	switch n := rand.IntN(100); {
	case n < steered:
		s.canceling = true
	case n < 2*steered && to != silentOne:
		s.expiring = true
		body["expires_at"] = time.Now().Add(time.Duration(100+rand.IntN(expire)) * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z")
	}
	key := fmt.Sprintf("%s-%s-%d", l.number, to, rand.Uint64())
	for {
		status, answer, err := r.call(context.WithoutCancel(ctx), http.MethodPost, "/v1/messages/send", key, body)
		var made struct{ ID string }
		if err == nil && status == http.StatusAccepted && json.Unmarshal(answer, &made) == nil {
			s.id, s.at = made.ID, time.Now()
			r.history.accept(s)
			if s.canceling {
				r.work.Go(func() { r.cancel(ctx, s.id, cancel) })
			}
			return s.id
		}
		if err == nil && status == http.StatusBadRequest && s.expiring {
			return "" // its time was over before the server was there
		}
		if err == nil && status >= 400 && status < 500 {
			r.total.fail("refused", fmt.Sprintf("a send was answered with %d: %s", status, answer))
			return ""
		}
		if !r.sleep(ctx, 15*time.Millisecond) {
			return "" // it may be there or not
		}
	}
}

// cancel asks once, within so many milliseconds, or with 0 as soon as a Mac has the
// message. The answer may be lost, and the message says what became of it.
func (r *round) cancel(ctx context.Context, id string, within int) {
	if within > 0 {
		r.sleep(ctx, r.random2(0, within))
	} else {
		r.await(ctx, 20*time.Second, func() bool { return r.isAssigned(ctx, id) })
	}
	_, _, _ = r.call(context.WithoutCancel(ctx), http.MethodPost, "/v1/messages/"+id+"/cancel", "", map[string]any{})
}

func (r *round) isAssigned(ctx context.Context, id string) bool {
	status, answer, err := r.call(ctx, http.MethodGet, "/v1/messages/"+id, "", nil)
	var m claim
	return err == nil && status == http.StatusOK && json.Unmarshal(answer, &m) == nil && m.Status != "queued"
}

// write lets people write to the Mac, and its owner to them.
func (r *round) write(ctx context.Context, l *line) {
	file := filepath.Join(r.dir, "picture.png")
	if err := os.WriteFile(file, picture("inbound", 40<<10), 0o600); err != nil {
		r.total.fail("harness", err.Error())
		return
	}
	for n := 0; r.sleep(ctx, time.Duration(20+rand.IntN(r.traffic.arriving))*time.Millisecond); n++ {
		who := fmt.Sprintf("+1415555%02d%02d", 10+rand.IntN(people), l.number[len(l.number)-1]-'0')
		if rand.IntN(100) < typing {
			text := fmt.Sprintf("typed %d", n)
			r.history.typedOn(l.number, who, text)
			_, _ = simulator.Type(ctx, l.mac.dir, who, text) // Messages may be dead
			continue
		}
		in := received{line: l.number, text: fmt.Sprintf("to %s, number %d of round %d", l.number, n, r.total.Rounds), at: time.Now(), file: rand.IntN(100) < r.traffic.filed}
		one := simulator.Inbound{From: who, Text: in.text}
		if in.file {
			one.Media = file
		}
		_, err := simulator.Receive(context.WithoutCancel(ctx), l.mac.dir, one)
		in.sure = err == nil
		r.history.receive(in)
	}
}
