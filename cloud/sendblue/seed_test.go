package sendblue_test

import (
	"regexp"
	"testing"

	"bluerelay/cloud/cloudtest"
	"bluerelay/wire"
)

// changing is what differs from run to run.
var changing = cloudtest.Changing{
	{Form: regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b`), As: "5a17319e-cbcf-443e-897e-d8b0c04b1b09"},
	{Form: regexp.MustCompile(`"20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`), As: `"2025-01-15T10:30:00.000Z"`},
}

// TestSeedPage makes the requests of the page of Messages v2.
func TestSeedPage(t *testing.T) {
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	m := w.send(somebody, "")
	order := mac.order()
	mac.report(wire.Report{Kind: wire.Delivered, Message: order.Message, Attempt: order.Attempt, GUID: "5A17", Service: "iMessage"})
	page := cloudtest.Page{
		File: "../../../shared/seeds/004_515e3ed906f8bc9a.txt", Names: []string{"list", "get", "delete"}, Host: "https://api.sendblue.co",
		Headers: []string{"sb-api-key-id", "sb-api-secret-key"}, Changing: changing,
		Own: []string{"message_handle", "accountEmail", "date_sent", "date_updated", "limit"}, // the page's own request asks for another limit than its answer has
	}
	page.Run(t, w.server.URL, "5a17319e-cbcf-443e-897e-d8b0c04b1b09", m.Handle, "YOUR_API_KEY", w.pair.id, "YOUR_API_SECRET", w.pair.secret)
}
