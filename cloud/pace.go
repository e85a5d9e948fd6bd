package cloud

import (
	"fmt"
	"strconv"
	"time"

	"bluerelay/cloud/store"
)

// Apple blocks accounts that rush. Unless a line says otherwise, a real Mac is asked
// for one message a second with short bursts and for so many new conversations in 24
// hours; anything else is not held back.
const (
	macRate             = 1.0
	defaultBurst        = 5
	macNewConversations = 50
	minRate             = 1.0 / (24 * 60 * 60) // one a day: the time that a burst stands for must fit a time.Duration
	maxBurst            = 1000
	maxNewConversations = 100_000
)

// openingPeriod is the time within which new conversations are counted.
const openingPeriod = 24 * time.Hour

// pace is how fast a line may go.
type pace struct {
	interval time.Duration // between two messages in the long run, 0 for no limit
	burst    int           // how many may go at once after a rest
	opening  int           // new conversations in openingPeriod, below 0 for no limit
}

// paceOf is a line's pace: as it was set, else as the operating system of its relay
// calls for.
func paceOf(l store.Line, os string) pace {
	p := pace{burst: defaultBurst, opening: -1}
	rate, err := parsePace(l.Pace)
	if err != nil || rate < 0 {
		rate = 0
		if os == "darwin" {
			rate = macRate
		}
	}
	if rate > 0 {
		p.interval = time.Duration(float64(time.Second) / rate)
	}
	if l.Burst > 0 {
		p.burst = l.Burst
	}
	n, err := parseNewConversations(l.NewConversations)
	switch {
	case err == nil && n >= 0:
		p.opening = n
	case (err != nil || l.NewConversations == "") && os == "darwin":
		p.opening = macNewConversations
	}
	return p
}

// room is how many messages may go now. Where it is none, wait is how long until one
// may. until is a line's PacedUntil: how far the line is ahead of its rate. It is
// never further ahead than a burst, whatever has become of the clock.
func (p pace) room(until int64, now time.Time) (n int, wait time.Duration) {
	if p.interval == 0 {
		return maxBurst, 0
	}
	full := time.Duration(p.burst) * p.interval
	left := full - p.ahead(until, now)
	if left >= p.interval {
		return int(left / p.interval), 0
	}
	return 0, p.interval - left
}

// spend is PacedUntil after n messages.
func (p pace) spend(until int64, now time.Time, n int) int64 {
	return now.Add(p.ahead(until, now) + time.Duration(n)*p.interval).UnixMicro()
}

func (p pace) ahead(until int64, now time.Time) time.Duration {
	d := time.Duration(until-now.UnixMicro()) * time.Microsecond
	return min(max(d, 0), time.Duration(p.burst)*p.interval)
}

// parsePace returns messages a second; 0 means no pacing and -1 what the Mac calls
// for.
func parsePace(s string) (float64, error) {
	switch s {
	case "":
		return -1, nil
	case "off":
		return 0, nil
	}
	rate, err := strconv.ParseFloat(s, 64)
	if err != nil || !(rate >= minRate && rate <= 1000) {
		return 0, fmt.Errorf("%q is no pace", s)
	}
	return rate, nil
}

// parseNewConversations returns how many may be opened, -1 for no limit; "" is -1
// too, and stands for what the Mac calls for.
func parseNewConversations(s string) (int, error) {
	if s == "" || s == "off" {
		return -1, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > maxNewConversations {
		return 0, fmt.Errorf("%q is no number of conversations", s)
	}
	return int(n), nil
}
