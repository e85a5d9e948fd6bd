package cloud

import (
	"cmp"
	"slices"

	"bluerelay/cloud/store"
)

// How many deliveries are under way at a time. Webhooks that hang share places of their own:
// however many there are, those that answer lose nothing by them.
const (
	inFlight          = 64
	perAccount        = 32 // of them, so that one whose webhooks begin to hang leaves others half of the places
	perWebhook        = 4  // of them, so that a slow one costs the account's others little
	hanging           = 5  // timeouts in a row, after which a webhook has one place, of the following, until it answers
	inFlightHanging   = 16
	perAccountHanging = 4 // of them
)

// places are those for deliveries under way. An account and that of its test keys count as
// one.
type places struct {
	most, perAccount int
	taken            int
	owned            map[string]int // by account
	last             string         // the webhook that got one last
}

func (p *places) room(account string) bool {
	return p.taken < p.most && p.owned[account] < p.perAccount
}

// inTurn begins with the webhook after the one that got a place last.
func (p *places) inTurn(hooks []store.DueWebhook) []store.DueWebhook {
	n, found := slices.BinarySearchFunc(hooks, p.last, func(h store.DueWebhook, id string) int { return cmp.Compare(h.ID, id) })
	if found {
		n++
	}
	return slices.Concat(hooks[n:], hooks[:n])
}

// room tells whether another delivery to a webhook may begin, in one of those places.
func (d *dispatcher) room(of *places, hook store.DueWebhook) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hasRoom(of, hook)
}

func (d *dispatcher) hasRoom(of *places, hook store.DueWebhook) bool {
	its, most := &d.quick, perWebhook
	if d.hung[hook.ID] >= hanging {
		its, most = &d.slow, 1
	}
	return of == its && d.busy[hook.ID] < most && of.room(hook.Owner)
}

// take takes a place for a delivery that is due. It returns how to give it back, and nil
// where there is none, or where the delivery is, or was since the look, in hand.
func (d *dispatcher) take(of *places, hook store.DueWebhook, id string) (give func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running[id] || d.ended[id] || !d.hasRoom(of, hook) {
		return nil
	}
	of.taken++
	of.owned[hook.Owner]++
	of.last = hook.ID
	d.running[id] = true
	d.busy[hook.ID]++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		of.taken--
		if of.owned[hook.Owner]--; of.owned[hook.Owner] == 0 {
			delete(of.owned, hook.Owner)
		}
		delete(d.running, id)
		d.ended[id] = true
		if d.busy[hook.ID]--; d.busy[hook.ID] == 0 {
			delete(d.busy, hook.ID)
		}
	}
}

// answered counts the timeouts in a row of a webhook.
func (d *dispatcher) answered(webhookID, problem string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if problem == "timeout" {
		d.hung[webhookID]++
	} else {
		delete(d.hung, webhookID)
	}
}
