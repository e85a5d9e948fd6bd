package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"bluerelay/cloud/store/storetest"
)

// The whole product with its data in PostgreSQL, which is stopped under it: while it is
// away a send is refused and may be repeated, afterwards everything goes on. Nobody else
// can serve the database meanwhile, and its password is nowhere to be read.
func TestPostgres(t *testing.T) {
	server := storetest.Start(t)
	dsn := server.New(t, "bluecloud")
	w := newWorldOn(t, 20, dsn)
	w.startRelay()
	arrives := func(content string) {
		t.Helper()
		id := w.send("+14155551234", content).ID
		eventually(t, time.Minute, content+" is delivered", func() bool { return w.get(id).Status == "delivered" })
	}
	arrives("before")
	if says := fails(t, 1, bluecloud, "serve", "--database", dsn, "--data", t.TempDir(), "--listen", "127.0.0.1:0"); !strings.Contains(says, "another bluecloud serves this database") {
		t.Errorf("a second server: %s", says)
	}

	server.Stop(t)
	status, body, err := w.call("POST", "/v1/messages/send", map[string]string{"to": "+14155551234", "from": line, "content": "lost"})
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("without a database: %d %s %v", status, body, err)
	}
	if status, _, err := w.call("GET", "/readyz", nil); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("ready without a database: %d %v", status, err)
	}
	server.Again(t)
	eventually(t, time.Minute, "the server is ready again", func() bool {
		status, _, err := w.call("GET", "/readyz", nil)
		return err == nil && status == http.StatusOK
	})
	arrives("after")
	if got := w.all("direction=outbound"); len(got) != 2 {
		t.Errorf("%d messages are there: %+v", len(got), got)
	}
	if list := run(t, bluecloud, "line", "list", "--database", dsn); !strings.Contains(list, line) {
		t.Errorf("beside the server: %s", list)
	}

	secret := "the-secret-of-the-database"
	if !strings.Contains(dsn, secret) {
		t.Fatal("the name of the database has no password")
	}
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", w.cloud.cmd.Process.Pid))
	if err != nil && !os.IsNotExist(err) { // only Linux has it
		t.Fatal(err)
	}
	if strings.Contains(string(arguments), secret) {
		t.Errorf("the password is in the process's title: %q", arguments)
	}
	if code := w.cloud.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if strings.Contains(w.cloud.out.String(), secret) {
		t.Error("the password is in the log")
	}
	if !strings.Contains(w.cloud.out.String(), "database PostgreSQL postgres@") {
		t.Error("it does not say which database it uses")
	}
}
