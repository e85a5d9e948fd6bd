package textingblue

import (
	"context"
	"net/http"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// mac is a relay: the Mac of a number, and what it last found of its preconditions.
type mac struct {
	ID          string  `json:"id"`
	NumberID    string  `json:"number_id"`
	PhoneNumber string  `json:"phone_number"`
	DeviceName  *string `json:"device_name"`
	OS          string  `json:"os"`
	Version     string  `json:"version"`
	Connected   bool    `json:"connected"`
	Ready       bool    `json:"ready"`
	Code        *string `json:"code"`   // what stands in the way of sending
	Reason      *string `json:"reason"` // one sentence with the next step
	Alarms      int64   `json:"alarms"`
	LastSeenAt  *string `json:"last_seen_at"`
	CheckedAt   *string `json:"checked_at"`
	Checks      []check `json:"checks"`
}

// check is one precondition of a Mac.
type check struct {
	Name        string   `json:"name"`
	State       string   `json:"state"` // ok, warn, fail, unknown
	Evidence    []string `json:"evidence"`
	NextStep    *string  `json:"next_step"`
	SettingsURL *string  `json:"settings_url"` // opens, on that Mac, where the step is made
}

func renderMac(n cloud.NumberState) mac {
	r := n.Relay
	m := mac{
		ID: r.ID, NumberID: n.ID, PhoneNumber: n.PhoneNumber, DeviceName: text(r.Host), OS: r.OS, Version: r.Version,
		Connected: r.Connected, Ready: r.Connected && r.Ready, Alarms: r.Alarms, LastSeenAt: stamp(r.LastSeenAt), CheckedAt: stamp(r.CheckedAt), Checks: []check{},
	}
	if !r.Ready {
		m.Code, m.Reason = text(r.Problem), text(r.Reason)
	}
	for _, c := range r.CheckupDone().Checks {
		m.Checks = append(m.Checks, renderCheck(c))
	}
	return m
}

func renderCheck(c wire.Check) check {
	return check{Name: c.Name, State: string(c.State), Evidence: append([]string{}, c.Evidence...), NextStep: text(c.Next), SettingsURL: text(c.Settings)}
}

// listRelays tells of the Macs of the account's numbers; numbers without one are left out.
func (a *API) listRelays(ctx context.Context, c call) (reply, error) {
	list, err := a.cloud.Relays(ctx, c.who)
	if err != nil {
		return reply{}, err
	}
	macs := []mac{}
	for _, n := range list {
		if n.Relay != nil {
			macs = append(macs, renderMac(n))
		}
	}
	return reply{http.StatusOK, map[string]any{"relays": macs}}, nil
}
