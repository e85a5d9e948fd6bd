package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"bluerelay/mac"
)

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate makes one by a, or a self-signed one where a is nil.
func (a *authority) certificate(t testing.TB, change func(*x509.Certificate)) (tls.Certificate, *authority) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "cloud"}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(c)
	}
	parent, signer := c, key
	if a != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, &authority{made, key}
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// secure is the pairing cloud behind TLS with that certificate.
func (c *pairingCloud) secure(t testing.TB, cert tls.Certificate) Pairing {
	t.Helper()
	server := httptest.NewUnstartedServer(c.Config.Handler)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	t.Cleanup(server.Close)
	p := c.pairing(t)
	p.SetupURL = server.URL + "/setup?token=" + token
	return p
}

// TestUnknownCertificates: each is a sentence with the next step, and the token stays unused.
func TestUnknownCertificates(t *testing.T) {
	t.Parallel()
	cloud := newPairingCloud(t)
	_, root := (*authority)(nil).certificate(t, func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.KeyUsage = "Home Authority", true, x509.KeyUsageCertSign
	})
	own, self := (*authority)(nil).certificate(t, nil)
	issued, _ := root.certificate(t, nil)
	expired, _ := root.certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	other, _ := root.certificate(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"cloud.example.com"} })
	for name, tt := range map[string]struct {
		cert tls.Certificate
		ca   string
		want string // "" for good
	}{
		"self-signed":                 {own, "", "is self-signed, and this Mac does not trust it"},
		"self-signed, another given":  {own, root.pem(), "is self-signed, and this Mac does not trust it"},
		"self-signed, given":          {own, self.pem(), ""},
		"an unknown authority":        {issued, "", `does not trust ("Home Authority")`},
		"an unknown authority, given": {issued, root.pem(), ""},
		"expired":                     {expired, root.pem(), "this Mac's clock says " + time.Now().UTC().Format(time.DateOnly)},
		"another name":                {other, root.pem(), "is for cloud.example.com: use the address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := cloud.secure(t, tt.cert)
			p.CA = tt.ca
			c, err := p.Pair(t.Context())
			if tt.want == "" {
				if err != nil || c.CA != tt.ca {
					t.Errorf("%+v, %v", c, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), token) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if _, err := LoadCredential(p.StateDir); !errors.Is(err, ErrNotPaired) {
				t.Errorf("a credential was left: %v", err)
			}
		})
	}
	p := cloud.pairing(t)
	p.SetupURL = strings.Replace(p.SetupURL, "http://", "https://", 1)
	if _, err := p.Pair(t.Context()); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("plain http: %v", err)
	}
}

// behindTLS serves with that certificate.
func behindTLS(t testing.TB, cert tls.Certificate, h http.Handler) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// refuses is a cloud that knows nobody.
var refuses = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })

// TestAuthorityHolds: what was given at pairing counts for the daemon's ways too.
func TestAuthorityHolds(t *testing.T) {
	t.Parallel()
	cert, self := (*authority)(nil).certificate(t, nil)
	server := behindTLS(t, cert, refuses)
	for ca, want := range map[string]string{"": "is self-signed", self.pem(): ErrRevoked.Error()} {
		c := Credential{Server: server.URL, RelayID: "rel_1", Secret: "rly_1", CA: ca}
		r := &Relay{credential: c, keys: keysOf(t, c), health: newHealth(), log: slog.New(slog.DiscardHandler)}
		if err := (&link{Relay: r}).dial(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the link: %v, want %q", err, want)
		}
		if _, err := Rotate(t.Context(), r.keys.dir, mac.Tools{}, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("an exchange: %v, want %q", err, want)
		}
		if _, err := Rotate(t.Context(), r.keys.dir, mac.Tools{}, self.pem()); !errors.Is(err, ErrRevoked) {
			t.Errorf("an exchange with the certificate: %v", err)
		}
		if c, err := LoadCredential(r.keys.dir); err != nil || c.CA != ca || c.Secret != "rly_1" {
			t.Errorf("%+v, %v", c, err)
		}
	}
}

// TestAuthorityIsExchanged: another one is kept when the secret was exchanged by it, and a
// wrong one does not take the place of one that is good.
func TestAuthorityIsExchanged(t *testing.T) {
	t.Parallel()
	cert, good := (*authority)(nil).certificate(t, nil)
	_, wrong := (*authority)(nil).certificate(t, nil)
	v := newVault(t)
	c := v.credential()
	c.Server, c.CA = behindTLS(t, cert, v.Config.Handler).URL, wrong.pem()
	dir := keysOf(t, c).dir
	for i, ca := range []string{good.pem(), wrong.pem()} {
		if _, err := Rotate(t.Context(), dir, mac.Tools{}, ca); (err == nil) != (i == 0) {
			t.Errorf("exchange %d: %v", i, err)
		}
		if c, err := LoadCredential(dir); err != nil || c.CA != good.pem() || c.Secret != "rly_1" {
			t.Errorf("after exchange %d: %+v, %v", i, c, err)
		}
	}
}

// TestAuthorityReachesTheDaemon: what another process has exchanged counts for the next
// request of each of the daemon's ways.
func TestAuthorityReachesTheDaemon(t *testing.T) {
	t.Parallel()
	cert, good := (*authority)(nil).certificate(t, nil)
	_, wrong := (*authority)(nil).certificate(t, nil)
	server := behindTLS(t, cert, refuses)
	c := Credential{Server: server.URL, RelayID: "rel_1", Secret: "rly_1", CA: wrong.pem()}
	r := &Relay{credential: c, keys: keysOf(t, c), health: newHealth(), log: slog.New(slog.DiscardHandler)}
	r.cfg.defaults()
	link, fetcher, courier := &link{Relay: r}, newFetcher(r), newCourier(r)
	for _, want := range []string{"does not trust", ""} {
		if err := link.dial(t.Context()); want == "" != errors.Is(err, ErrRevoked) || !strings.Contains(err.Error(), want) {
			t.Errorf("the link: %v", err)
		}
		_, err := courier.has(t.Context(), parcel{})
		if _, answered := errors.AsType[*refusal](err); answered != (want == "") {
			t.Errorf("the courier: %v", err)
		}
		resp, err := fetcher.http.Get(server.URL)
		if (err == nil) != (want == "") {
			t.Errorf("the fetcher: %v", err)
		}
		if err == nil {
			resp.Body.Close()
		}
		if v := newDoctor(Config{}, r, false).pay(t.Context()); (v.status == http.StatusUnauthorized) != (want == "") {
			t.Errorf("the doctor: %+v", v)
		}
		c.CA = good.pem()
		if err := c.save(r.keys.dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadAuthorities(t *testing.T) {
	t.Parallel()
	_, a := (*authority)(nil).certificate(t, nil)
	_, b := (*authority)(nil).certificate(t, nil)
	if got, err := ReadAuthorities([]byte(a.pem() + "\n" + b.pem())); err != nil || got != a.pem()+"\n"+b.pem() {
		t.Errorf("%q, %v", got, err)
	}
	for name, data := range map[string]string{
		"nothing": "", "words": "trust me", "words behind": a.pem() + "x", "half of one": a.pem()[:100],
		"a private key":      "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"a broken one":       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"a key behind a one": a.pem() + "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
	} {
		if got, err := ReadAuthorities([]byte(data)); err == nil || got != "" || !strings.Contains(err.Error(), "--ca") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
