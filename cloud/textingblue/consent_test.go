package textingblue_test

import (
	"net/http"
	"testing"

	"bluerelay/cloud"
)

// A person who has opted out is written to by nobody of the account.
func TestRecipientWhoHasOptedOut(t *testing.T) {
	w := newWorld(t, nil)
	waits := w.send("+14155551234")
	who := cloud.Principal{Account: w.account}
	if _, err := w.service.SetOptOut(t.Context(), who, "+14155551234", true); err != nil {
		t.Fatal(err)
	}
	a := w.get(waits)
	if a.member(t, "status") != `"failed"` || a.member(t, "error_code") != `"opted_out"` {
		t.Errorf("%s", a.body)
	}
	before := w.contents()
	body := `{"to":"+14155551234","from":"` + line + `","content":"hello"}`
	w.call("POST", "/v1/messages/send", w.key, body).expect(t, http.StatusBadRequest, "invalid_request", "to")
	w.call("POST", "/v1/messages/"+waits+"/resend", w.key, "").expect(t, http.StatusBadRequest, "invalid_request", "to")
	if w.contents() != before {
		t.Error("something was stored")
	}
	if _, err := w.service.SetOptOut(t.Context(), who, "+14155551234", false); err != nil {
		t.Fatal(err)
	}
	w.ok("POST", "/v1/messages/send", body, http.StatusAccepted)
}
