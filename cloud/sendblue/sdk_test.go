package sendblue_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

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
	run(ctx, t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")

	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	told := make(chan struct{}, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/write" {
			mac.inbound("Hey")
			return
		}
		told <- struct{}{}
	}))
	t.Cleanup(hook.Close)
	run(ctx, t, dir, "node", "calls.mjs", w.server.URL, w.pair.id, w.pair.secret, line, hook.URL)

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
