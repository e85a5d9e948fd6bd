package sendblue_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestWhatAMacCannotDo(t *testing.T) {
	w := newWorld(t, nil)
	for _, r := range [][2]string{
		{"POST", "/api/send-reaction"}, {"POST", "/api/send-typing-indicator"}, {"POST", "/api/mark-read"}, {"POST", "/api/modify-group"}, {"POST", "/api/create-group"},
		{"POST", "/api/send-carousel"}, {"POST", "/api/messages/x/update-app-card"}, {"POST", "/api/request-location"}, {"GET", "/api/location"}, {"GET", "/api/location/+1"},
		{"GET", "/api/location/+1/watch"}, {"GET", "/api/lines/+1/call-forwarding"}, {"PUT", "/api/lines/+1/call-forwarding"}, {"DELETE", "/api/lines/+1/call-forwarding"},
		{"POST", "/api/v2/groups/x/name"}, {"POST", "/api/v2/groups/x/photo"}, {"POST", "/api/v2/verify/services/x/verifications"},
		{"GET", "/api/v2/verify/services/x/verifications/y"}, {"GET", "/api/v2/verify/verifications"}, {"GET", "/api/v2/seats"}, {"GET", "/api/v2/seats/count"},
		{"GET", "/api/v2/seats/x"}, {"GET", "/api/v2/totp/code/x"}, {"GET", "/api/v2/totp/secrets"}, {"POST", "/api/v2/totp/secrets"}, {"DELETE", "/api/v2/totp/secrets/x"},
	} {
		a := w.call(r[0], r[1], w.pair, "")
		p := a.expect(t, http.StatusBadRequest, 4000, "not_supported", "")
		if r[1] == "/api/send-typing-indicator" && !strings.Contains(p.Message, "No route mapping found") {
			t.Errorf("published clients do not know %q", p.Message)
		}
		w.call(r[0], r[1], pair{}, "").expect(t, http.StatusUnauthorized, 0, "unauthorized", "")
	}
}

// A field that cannot be honoured is refused for its own reason.
func TestFieldsThatAreNotSupported(t *testing.T) {
	w := newWorld(t, nil)
	for field, reason := range map[string]string{
		`"send_style":"confetti"`: "private interfaces", `"reply_to":{"message_handle":"y"}`: "private interfaces", `"app_card":{}`: "private interfaces", `"seat_id":"x"`: "no seats",
	} {
		name := strings.Split(field, `"`)[1]
		p := w.call("POST", "/api/send-message", w.pair, `{"number":"+19998887777","content":"Hello",`+field+`}`).expect(t, http.StatusBadRequest, 4000, "invalid_request", name)
		if !strings.Contains(p.Message, reason) {
			t.Errorf("%+v", p)
		}
	}
}
