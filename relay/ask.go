package relay

import (
	"context"
	"time"

	"bluerelay/applescript"
)

// askMessages has the sender ask Messages a harmless question: osascript is never run
// twice at a time. It returns false where the sender has something in its hands, or has
// ended, until ctx is over.
func (r *Relay) askMessages(ctx context.Context) (applescript.Outcome, bool) {
	answer := make(chan applescript.Outcome, 1)
	select {
	case r.asks <- answer:
	case <-r.sent:
		return applescript.Outcome{}, false
	case <-ctx.Done():
		return applescript.Outcome{}, false
	}
	select {
	case o := <-answer:
		return o, o.Effect != ""
	case <-ctx.Done():
		return applescript.Outcome{}, false
	}
}

// answer asks Messages because somebody wants to know. What it says counts like any
// other answer, but for the pauses between the sender's own questions. While osascript
// may be running it is not asked, and the answer is empty.
func (s *sender) answer(ctx context.Context, to chan<- applescript.Outcome) {
	if s.unclear {
		to <- applescript.Outcome{}
		return
	}
	trouble := s.trouble
	o := s.examine(ctx)
	s.trouble = trouble
	to <- o
}

// note keeps what Messages said last.
func (r *Relay) note(o applescript.Outcome) {
	if r.heard.Swap(&heard{o, time.Now()}) == nil {
		ring(r.health.news) // a checkup may have said that nobody knows
	}
}
