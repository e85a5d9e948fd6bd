package cloud_test

import (
	"testing"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// A key that is revoked while its request is on its way stores nothing.
func TestRevokedKeyEndsWhatIsInFlight(t *testing.T) {
	w := newWorld(t, nil)
	key, secret, err := w.service.CreateKey(t.Context(), w.who.Account.ID, store.TextingBlue, []string{"*"})
	if err != nil {
		t.Fatal(err)
	}
	who, err := w.service.Authenticate(t.Context(), store.TextingBlue, secret)
	if err != nil {
		t.Fatal(err)
	}
	out := cloud.Outgoing{From: w.line.PhoneNumber, To: somebody, Content: secretText}
	m, err := w.service.Send(t.Context(), who, out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Cancel(t.Context(), who, m.ID); err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error { return tx.RevokeKey(key.ID, 1) })
	_, sent := w.service.Send(t.Context(), who, out)
	_, resent := w.service.Resend(t.Context(), who, m.ID, cloud.Resending{})
	for _, err := range []error{sent, resent} {
		if e := refusal(t, err); e.Code != cloud.Unauthorized {
			t.Errorf("%+v", e)
		}
	}
	if list := w.column("SELECT id FROM messages"); len(list) != 1 {
		t.Errorf("%v", list)
	}
}
