package cloud_test

import (
	"errors"
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// A message that is deleted is in no list, no total and no single view; nobody can do
// anything with it, and it cannot be deleted again.
func TestDeletedMessagesAreNotShown(t *testing.T) {
	w := newWorld(t, nil)
	ctx := t.Context()
	gone, stays := w.send("+14155551234"), w.send("+14155551235")
	if err := w.service.Delete(ctx, w.who, gone); err != nil {
		t.Fatal(err)
	}
	if m := w.message(gone); m.Status != wire.Canceled || m.HiddenAt == 0 || m.UpdatedAt != m.HiddenAt {
		t.Errorf("%+v", m)
	}
	stranger := w.account("team_b")
	_, _, timeline := w.service.Timeline(ctx, w.who, gone)
	for name, err := range map[string]error{
		"a second time":      w.service.Delete(ctx, w.who, gone),
		"unknown":            w.service.Delete(ctx, w.who, "msg_none"),
		"of another account": w.service.Delete(ctx, stranger, stays),
		"shown":              errorOf(w.service.Message(ctx, w.who, gone)),
		"canceled":           errorOf(w.service.Cancel(ctx, w.who, gone)),
		"resent":             errorOf(w.service.Resend(ctx, w.who, gone, cloud.Resending{})),
		"with its timeline":  timeline,
	} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, total, err := w.service.Page(ctx, w.who, store.MessageFilter{Limit: 10})
	if err != nil || total != 1 || len(list) != 1 || list[0].ID != stays {
		t.Errorf("%d of %d, %v", len(list), total, err)
	}
	list, more, err := w.service.Messages(ctx, w.who, store.MessageFilter{Limit: 10}, "")
	if err != nil || more || len(list) != 1 || list[0].ID != stays {
		t.Errorf("%+v, %v", list, err)
	}
	// A page that began before goes on behind it.
	if list, _, err := w.service.Messages(ctx, w.who, store.MessageFilter{Limit: 10, Ascending: true}, gone); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

func errorOf(_ store.Message, err error) error { return err }

// A message that a relay has goes on after it was deleted: what becomes of it is stored
// and told, and nobody is shown it.
func TestDeletingTakesNothingBack(t *testing.T) {
	w := newWorld(t, nil)
	ctx := t.Context()
	id := w.send("+14155551234")
	w.write(func(tx *store.Tx) error {
		list, err := tx.Assign(w.line.ID, "ins_a", store.Room{Window: 4, Now: 4, Opening: -1}, 2)
		if len(list) != 1 {
			t.Errorf("%d were assigned", len(list))
		}
		return err
	})
	if err := w.service.Delete(ctx, w.who, id); err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error {
		for _, to := range []wire.Status{wire.StatusAccepted, wire.StatusSending, wire.StatusSent} {
			m, changed, err := tx.Advance(store.Step{ID: id, To: to, At: 5, Now: 5})
			if err != nil || !changed {
				t.Errorf("%s: %t, %v", to, changed, err)
			}
			if to == wire.StatusSent && m.Phase != store.PhaseSent {
				t.Errorf("%+v", m)
			}
		}
		return nil
	})
	if list, total, err := w.service.Page(ctx, w.who, store.MessageFilter{Limit: 10}); err != nil || total != 0 || len(list) != 0 {
		t.Errorf("%d of %d, %v", len(list), total, err)
	}
}
