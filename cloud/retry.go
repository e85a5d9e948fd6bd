package cloud

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"bluerelay/cloud/store"
)

// preset is how deliveries to a webhook are tried.
type preset struct {
	pauses  []time.Duration // before the second and later tries
	exact   bool            // the pauses are as they stand, else each give or take a fifth
	timeout time.Duration   // of one try, all in all; 0 for Config.WebhookTimeout
	// patient presets try again only what may pass by itself: an answer of 5xx, or none.
	patient bool
	// exhausted is how many deliveries that are given up, one after the other, switch a
	// webhook off; 0 where Config.WebhookFailing does.
	exhausted int
}

// usualPreset is the name of ours, which the table has as "".
const usualPreset = "default"

// presets are those of the vendors. Texting Blue's page has four retries after any
// answer but 2xx, the first at once, and ten failures; that those are deliveries which
// were given up is our reading. Sendblue's has up to three tries on 5xx and 45 seconds;
// its pauses are not written down, these are ours.
var presets = map[string]preset{
	"textingblue": {pauses: []time.Duration{0, 10 * time.Second, time.Minute, 5 * time.Minute}, exact: true, exhausted: 10},
	"sendblue":    {pauses: []time.Duration{5 * time.Second, 30 * time.Second}, timeout: 45 * time.Second, patient: true},
}

// retryPresets are the names that a webhook may ask for.
func retryPresets() []string {
	return append([]string{usualPreset}, slices.Sorted(maps.Keys(presets))...)
}

// presetOf is how deliveries to a webhook are tried.
func (s *Service) presetOf(w store.Webhook) preset {
	p, vendor := presets[w.RetryPreset]
	if !vendor {
		p.pauses = s.cfg.WebhookSchedule
	}
	p.timeout = cmp.Or(p.timeout, s.cfg.WebhookTimeout)
	return p
}

// after is the pause before the next try, and false where the one that was made, the
// attempt-th, was the last.
func (p preset) after(attempt int, got outcome) (time.Duration, bool) {
	if attempt > len(p.pauses) || got.status == http.StatusGone || p.patient && got.status != 0 && got.status < 500 {
		return 0, false
	}
	pause := p.pauses[attempt-1]
	if !p.exact {
		pause = pause*4/5 + rand.N(pause*2/5+1)
	}
	return max(pause, got.retryAfter), true
}

// hopeless tells whether a webhook has failed for so long, or so often, that it is
// switched off.
func (s *Service) hopeless(w store.Webhook, now time.Time) bool {
	if limit := s.presetOf(w).exhausted; limit > 0 {
		return w.Exhausted >= limit
	}
	return now.UnixMilli()-w.FailingSince >= s.cfg.WebhookFailing.Milliseconds()
}
