package cloud

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"bluerelay/cloud/store"
)

// pipes is a listener whose connections are in the same process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// A receiver has the time of its webhook's preset to answer, and no more.
func TestPresetsGiveTheirTime(t *testing.T) {
	for _, c := range []struct {
		preset  string
		answers time.Duration
		status  int
		took    time.Duration
	}{
		{"", 14 * time.Second, http.StatusOK, 14 * time.Second},
		{"", 16 * time.Second, 0, 15 * time.Second},
		{"textingblue", 14 * time.Second, http.StatusOK, 14 * time.Second},
		{"sendblue", 16 * time.Second, http.StatusOK, 16 * time.Second},
		{"sendblue", 44 * time.Second, http.StatusOK, 44 * time.Second},
		{"sendblue", 46 * time.Second, 0, 45 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			listener := pipes{make(chan net.Conn), make(chan struct{})}
			server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // from then on it notices when it is left alone
				select {
				case <-time.After(c.answers):
				case <-r.Context().Done():
				}
			})}
			go func() { _ = server.Serve(listener) }() // it ends with the server
			defer server.Close()
			d := newDispatcher(&Service{cfg: Config{WebhookTimeout: 15 * time.Second}})
			d.client.Transport.(byScheme).http.DialContext = listener.dial
			defer d.client.CloseIdleConnections()
			began := time.Now()
			got := d.post(t.Context(), store.Webhook{URL: "http://hooks.example/", Kind: store.KindCallback, RetryPreset: c.preset}, store.Delivery{Body: "{}"})
			if took := time.Since(began); got.status != c.status || took != c.took || (got.problem == "timeout") != (c.status == 0) {
				t.Errorf("%q, answered after %s: %+v after %s", c.preset, c.answers, got, took)
			}
		})
	}
}
