package sendblue_test

import (
	"context"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// sdkPatience is how long installing and running the official client may take.
const sdkPatience = 5 * time.Minute

// TestOfficialSDK runs the calls of testdata/sdk/calls.mjs with the npm package that the
// lock file names.
func TestOfficialSDK(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), sdkPatience)
	defer cancel()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "calls.mjs"} {
		data, err := os.ReadFile(filepath.Join("testdata", "sdk", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(ctx, t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=5")

	site := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a.png" {
			http.NotFound(rw, r)
			return
		}
		_, _ = rw.Write(picture)
	}))
	t.Cleanup(site.Close)
	w := newWorld(t, func(c *cloud.Config) {
		c.MediaRoots = x509.NewCertPool()
		c.MediaRoots.AddCert(site.Certificate())
	})
	poor := w.newPair(w.newAccount("team_poor", 2), "*")
	mac := w.connect(w.paired(w.line), "a")
	told := make(chan struct{}, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/write":
			mac.inbound("Hey")
			return
		case "/group":
			mac.report(wire.Report{Kind: wire.Received, GUID: "g", Inbound: &wire.Inbound{GUID: "g", From: somebody, Chat: "any;+;chat7", Group: true, Text: "Hey all", Service: "iMessage"}})
			return
		case "/picture":
			_, _ = rw.Write(picture)
			return
		}
		told <- struct{}{}
	}))
	t.Cleanup(hook.Close)
	run(ctx, t, dir, "node", "calls.mjs", w.server.URL, w.pair.id, w.pair.secret, line, hook.URL, site.URL, poor.id, poor.secret)

	order := mac.order()
	mac.report(wire.Report{Kind: wire.Sent, Message: order.Message, Attempt: order.Attempt, GUID: "5A17", Service: "iMessage"})
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("the status callback was not called")
	}
}

func run(ctx context.Context, t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}
