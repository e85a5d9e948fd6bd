package cloud

import "time"

// Apple blocks accounts that rush. Unless a line says otherwise, a real Mac is asked
// for one message a second with short bursts; anything else is not held back.
const (
	macRate = 1.0
	burst   = 5.0
)

// rateOf is a line's pace in messages a second, 0 for none: as it was set, else by
// the operating system of its relay.
func rateOf(set, os string) float64 {
	rate, err := parsePace(set)
	if err == nil && rate >= 0 {
		return rate
	}
	if os == "darwin" {
		return macRate
	}
	return 0
}

// pace is a bucket of tokens, one for each message. It belongs to one session and
// starts full.
type pace struct {
	rate   float64
	tokens float64
	at     time.Time
	timer  <-chan time.Time
}

// room is how many messages may go now, at most limit. Where it is 0, ready tells
// when to ask again.
func (p *pace) room(rate float64, limit int, now time.Time) int {
	p.timer = nil
	if rate == 0 {
		p.rate = 0
		return limit
	}
	if p.rate == 0 {
		p.tokens = burst
	} else {
		p.tokens = min(burst, p.tokens+p.rate*now.Sub(p.at).Seconds())
	}
	p.rate, p.at = rate, now
	if p.tokens >= 1 {
		return min(limit, int(p.tokens))
	}
	p.timer = time.After(time.Duration((1 - p.tokens) / rate * float64(time.Second)))
	return 0
}

func (p *pace) spend(n int) {
	if p.rate > 0 {
		p.tokens -= float64(n)
	}
}

// ready is nil, which never comes, while nothing is held back.
func (p *pace) ready() <-chan time.Time { return p.timer }
