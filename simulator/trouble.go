package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Trouble is how often Messages goes wrong with a send, each as a share of all sends
// from 0 to 1. It concerns ordinary recipients only: those with an outcome of their
// own keep it. The zero value is no trouble.
type Trouble struct {
	// Before the marker.
	NotListed float64 `json:"not_listed,omitzero"` // -1728, as for a chat that is not in Messages' live list
	Denied    float64 `json:"denied,omitzero"`     // -1743, at this one attempt

	// After the hand-over; together at most 1.
	Drop        float64 `json:"drop,omitzero"`          // success, and no row ever
	Late        float64 `json:"late,omitzero"`          // the row comes after 12 s
	TimeOut     float64 `json:"time_out,omitzero"`      // -1712, and the row comes
	TimeOutDrop float64 `json:"time_out_drop,omitzero"` // -1712, and no row ever
	Ghost       float64 `json:"ghost,omitzero"`         // a row without text and chat, and nothing is sent
	Misroute    float64 `json:"misroute,omitzero"`      // it goes to MisroutedTo
	Duplicate   float64 `json:"duplicate,omitzero"`     // it goes twice
	Alter       float64 `json:"alter,omitzero"`         // quotes, dashes and spaces are changed, as Messages does
	Fail        float64 `json:"fail,omitzero"`          // the row fails with FailNumber

	// FailNumber is the message.error of Fail; 0 stands for 3, a time-out.
	FailNumber int `json:"fail_number,omitzero"`
	// Without are services that this Mac does not offer: SMS, RCS.
	Without []string `json:"without,omitempty"`
}

// MisroutedTo is who gets what Trouble misroutes.
const MisroutedTo = "+15005550099"

// SetTrouble makes the Messages that runs in dir go wrong as t says, until the next
// SetTrouble, also after a restart. It fails with ErrNotRunning where none runs.
func SetTrouble(ctx context.Context, dir string, t Trouble) error {
	_, err := act(ctx, dir, pathTrouble, t)
	return err
}

// check refuses what is no share.
func (t Trouble) check() error {
	after := t.after()
	for _, share := range append(after, t.NotListed, t.Denied) {
		if !(share >= 0 && share <= 1) {
			return faultf("a share of sends lies between 0 and 1")
		}
	}
	sum := 0.0
	for _, share := range after {
		sum += share
	}
	if sum > 1.000001 {
		return faultf("the troubles after the hand-over are more than all sends together")
	}
	return nil
}

// after are the shares after the hand-over, in the order of draw.
func (t Trouble) after() []float64 {
	return []float64{t.Drop, t.Late, t.TimeOut, t.TimeOutDrop, t.Ghost, t.Misroute, t.Duplicate, t.Alter, t.Fail}
}

// draw gives a send its outcome: o, where the recipient has one of its own.
func (t Trouble) draw(r *rand.Rand, o outcome) outcome {
	if o != (outcome{}) {
		return o
	}
	number := t.FailNumber
	if number == 0 {
		number = errorTimeout
	}
	outcomes := []outcome{{drop: true}, {late: true}, {timesOut: true}, {timesOut: true, drop: true}, {ghost: true}, {misroute: true}, {duplicate: true}, {alter: true}, {fails: number}}
	share := r.Float64()
	for i, s := range t.after() {
		if share < s {
			return outcomes[i]
		}
		share -= s
	}
	return o
}

// refuse is the trouble before the marker.
func (t Trouble) refuse(r *rand.Rand, c scriptCall, to route) error {
	if c.Kind == kindParticipant && slices.Contains(t.Without, c.Service) {
		return errNoAccount(c.Service)
	}
	if to.outcome != (outcome{}) {
		return nil
	}
	switch share := r.Float64(); {
	case share < t.NotListed && c.Kind == kindChat:
		return errNoSuchChat(c.Target)
	case share < t.NotListed:
		return errNoSuchParticipant(c.Target)
	case share < t.NotListed+t.Denied:
		return errNotAuthorized()
	}
	return nil
}

// altered is a text as Messages may change it.
func altered(text string) string {
	text = strings.NewReplacer(`'`, "’", ` "`, " “", `"`, "”", " -- ", " — ", "...", "…", "e\u0301", "é", "\u200d", "").Replace(text)
	return strings.TrimRight(text, " ")
}

// trouble reads what was set last.
func (s *schedule) trouble(ctx context.Context) (t Trouble, err error) {
	var data []byte
	ok, err := s.file.find(ctx, []any{&data}, "SELECT shares FROM trouble")
	if err == nil && ok {
		err = json.Unmarshal(data, &t)
	}
	if err != nil {
		return t, fmt.Errorf("read trouble: %w", err)
	}
	return t, nil
}

func (s *schedule) setTrouble(ctx context.Context, t Trouble) error {
	data, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode trouble: %w", err)
	}
	if _, err := s.file.exec(ctx, "INSERT OR REPLACE INTO trouble (one, shares) VALUES (1, ?)", data); err != nil {
		return fmt.Errorf("keep trouble: %w", err)
	}
	return nil
}
