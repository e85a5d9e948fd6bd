package sendblue_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"bluerelay/cloud/store/storetest"
)

// contentsOf is what the database holds that names an account, or of all with "".
func (w *world) contentsOf(account string) string {
	w.t.Helper()
	var all strings.Builder
	for _, table := range []string{"accounts", "keys", "lines", "messages", "message_steps", "idempotency", "events", "webhooks", "deliveries", "contacts", "group_changes"} {
		for _, row := range storetest.Rows(w.t, w.dsn, "SELECT * FROM "+table+" ORDER BY 1, 2, 3") {
			if line := fmt.Sprintf("%s %q", table, row); strings.Contains(line, account) {
				fmt.Fprintln(&all, line)
			}
		}
	}
	return all.String()
}

// member is one member of the body's object, as text.
func (a answer) member(t testing.TB, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(a.body, &all); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(all[name])
}
