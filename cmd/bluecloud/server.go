package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"bluerelay/cloud"
	"bluerelay/cloud/console"
	"bluerelay/cloud/sendblue"
	"bluerelay/cloud/store"
	"bluerelay/cloud/textingblue"
	"bluerelay/fault"
)

// The HTTP server's limits.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 90 * time.Second
	maxHeader     = 32 << 10
	drainTimeout  = 15 * time.Second
)

// server is the cloud with its HTTP surface.
type server struct {
	listener net.Listener
	url      string // what the world calls it by
	local    string // what this machine calls it by
	data     string // folder of what is kept beside the database
	store    *store.Store
	cloud    *cloud.Service
	log      *slog.Logger
	draining atomic.Bool
	http     http.Server
	test     *sandboxes
}

// serverConfig is what a server is made from.
type serverConfig struct {
	database  string
	data      string // folder for what is not in the database
	listen    string
	publicURL string // "" for the address of the listener
	allow     []netip.Prefix
	simulated bool
	log       *slog.Logger
	// metricsToken opens /metrics; without one it is open to this machine alone.
	metricsToken string
}

// dialects are the public APIs of this build. Commands beside the server need them too:
// what they change are events, which are rendered at once.
func dialects() map[string]cloud.Dialect {
	return map[string]cloud.Dialect{store.TextingBlue: textingblue.Dialect(), store.Sendblue: sendblue.Dialect()}
}

// documents are the public APIs as the page /docs shows them.
func documents() []console.API {
	return []console.API{
		{Name: "Texting Blue", URL: "/v1/openapi.json", Document: textingblue.Document()},
		{Name: "Sendblue", URL: "/api/openapi.json", Document: sendblue.Document()},
	}
}

// newServer takes the port first, so that a second start fails before it touches
// anything.
func newServer(ctx context.Context, cfg serverConfig) (*server, error) {
	ln, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: choose another address with --listen (%w)", cfg.listen, err)
	}
	s := &server{listener: ln, url: cfg.publicURL, local: localURL(ln.Addr()), log: cfg.log}
	if s.url == "" {
		s.url = s.local
	}
	if s.store, err = store.Serve(ctx, cfg.database); err != nil {
		ln.Close()
		return nil, err
	}
	if s.store.Careless() {
		cfg.log.Warn("database.careless", "reason", "the server of the database runs with fsync off: a power cut takes what was confirmed")
	}
	if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(store.PublicURL, s.url) }); err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.data = cfg.data
	s.test = newSandboxes(s)
	rules := cloud.Config{
		Store: s.store, Log: cfg.log, PublicURL: s.url, WebhookAllow: cfg.allow, MediaDir: mediaIn(cfg.data),
		Dialects: dialects(), Sandbox: s.test.wake,
	}
	fault.Tune(&rules)
	s.cloud = cloud.New(rules)
	mux := http.NewServeMux()
	mux.Handle("/v1/", s.cloud.Measured(store.TextingBlue, textingblue.New(s.cloud, cfg.log)))
	vendor := s.cloud.Measured(store.Sendblue, sendblue.New(s.cloud, cfg.log))
	for _, path := range sendblue.Paths {
		mux.Handle(path, vendor)
	}
	s.cloud.RelayRoutes(mux)
	s.cloud.MediaRoutes(mux)
	console.Console{Cloud: s.cloud, PublicURL: s.url, APIs: documents(), Simulated: cfg.simulated, Log: cfg.log}.Routes(mux)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", guardMetrics(s.cloud.Metrics(), cfg.metricsToken, s.url))
	s.http = http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(cfg.log.Handler(), slog.LevelWarn),
	}
	s.http.RegisterOnShutdown(s.cloud.CutTransfers)
	return s, nil
}

// localURL is how this machine reaches a listener that may be open to all.
func localURL(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok || tcp.IP.IsUnspecified() {
		_, port, err := net.SplitHostPort(a.String())
		if err == nil {
			return "http://127.0.0.1:" + port
		}
	}
	return "http://" + a.String()
}

func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		http.Error(w, "stopping", http.StatusServiceUnavailable)
		return
	}
	if err := s.cloud.Ready(r.Context()); err != nil {
		s.log.Error("not.ready", "error", err.Error())
		http.Error(w, "the database cannot be used", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
}

// run serves until ctx ends. Then it takes no new requests, finishes those in hand,
// closes the relays' sockets, lets webhooks in hand finish and closes the database.
func (s *server) run(ctx context.Context) error {
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	// Before a relay that waits at the port is let in, or it would be noted as gone.
	if err := s.cloud.Begin(base); err != nil {
		return errors.Join(err, s.close())
	}
	serving, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var cloudErr, httpErr error
	wg.Go(func() { cloudErr = s.cloud.Run(base); cancel() })
	wg.Go(func() { httpErr = s.http.Serve(s.listener); cancel() })
	// Their relays report what they know while the server still listens.
	s.test.run(serving)
	s.draining.Store(true)
	s.log.Info("server.draining")
	patience, end := context.WithTimeout(base, drainTimeout)
	defer end()
	shutErr := s.http.Shutdown(patience)
	stop()
	wg.Wait()
	if errors.Is(httpErr, http.ErrServerClosed) {
		httpErr = nil
	}
	return errors.Join(cloudErr, httpErr, shutErr, s.close())
}

func (s *server) close() error {
	err := s.listener.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil // the HTTP server has closed it
	}
	return errors.Join(err, s.store.Close())
}
