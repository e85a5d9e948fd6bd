package cloud

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ErrForbiddenAddress says that a webhook's name leads to an address, or its URL to a port,
// that must not be called from here.
var ErrForbiddenAddress = errors.New("the address is not a public one, or the port not one of the web")

// denied are public-looking ranges that lead inside: RFC 6890 and its successors,
// and the host address of one large provider.
var denied = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is the only part of IPv6 that is in public use (RFC 4291, IANA).
var global = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}

// guard decides, at the moment of dialing, which addresses may be called. It sees
// every address that is tried, after the name was resolved: a name that changes its
// mind between a check and the call gains nothing.
type guard struct {
	allow []netip.Prefix
	own   *ownNetwork
}

func newGuard(allow []netip.Prefix) guard {
	return guard{allow, &ownNetwork{addresses: net.InterfaceAddrs}}
}

func (g guard) allowed(a netip.Addr) bool { return contains(g.allow, a.Unmap()) }

func (g guard) public(a netip.Addr) bool {
	a = a.Unmap()
	if a.Is6() && !global.Contains(a) || a.Zone() != "" {
		return false
	}
	return !contains(denied, a)
}

// may tells whether an address may be called by https: an allowed one at any port.
func (g guard) may(a netip.AddrPort) bool {
	return g.allowed(a.Addr()) || g.public(a.Addr()) && webPort(a.Port()) && !g.own.has(a.Addr())
}

// client makes an HTTP client that reaches public and allowed addresses by https,
// and allowed ones by http. How long an answer may take is its caller's to say, beside
// timeout, 0 for no end of its own. It follows no redirect and uses no proxy: the guard
// would see only the proxy's address.
func (g guard) client(timeout time.Duration) *http.Client {
	secure := g.transport(g.may)
	plain := g.transport(func(a netip.AddrPort) bool { return g.allowed(a.Addr()) })
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     byScheme{https: secure, http: plain},
	}
}

// mediaClient makes an HTTP client that reaches public and allowed addresses by https
// only. It follows a few redirects, each of them by the same rules; the bytes come as
// they are, never unpacked.
func (g guard) mediaClient(timeout time.Duration, roots *x509.CertPool) *http.Client {
	t := g.transport(g.may)
	t.DisableCompression = true
	t.ResponseHeaderTimeout = 15 * time.Second // what has begun to come has longer
	t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &http.Client{
		Timeout: timeout,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || r.URL.Scheme != "https" || r.URL.User != nil {
				return errRedirected
			}
			r.Header.Del("Referer") // the first URL may be a secret
			return nil
		},
		Transport: t,
	}
}

// maxRedirects is how often a file may be somewhere else.
const maxRedirects = 3

// errRedirected says that a file is somewhere else where it is not fetched from.
var errRedirected = errors.New("redirected too often, or not to https")

type byScheme struct{ https, http *http.Transport }

func (b byScheme) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "https" {
		return b.https.RoundTrip(r)
	}
	return b.http.RoundTrip(r)
}

// CloseIdleConnections is what http.Client calls at the end.
func (b byScheme) CloseIdleConnections() {
	b.https.CloseIdleConnections()
	b.http.CloseIdleConnections()
}

func (g guard) transport(may func(netip.AddrPort) bool) *http.Transport {
	dialer := &net.Dialer{
		Timeout: 10 * time.Second,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil || !may(ap) {
				return ErrForbiddenAddress
			}
			return nil
		},
	}
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, // not the usual 10 MB for each of all that are under way
	}
}

// checkURL refuses what can never be called. It resolves no name; the guard does
// the rest each time.
func (g guard) checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(raw) > 2048 {
		return Invalid("url", "The 'url' field must be a valid HTTPS URL.")
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || len(g.allow) == 0 && !webPort(uint16(n)) {
			return Invalid("url", "The 'url' field may use the ports 80, 443 and from 1024 on, but none that is known to belong to another service.")
		}
	}
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http" || len(g.allow) == 0:
		return Invalid("url", "The 'url' field must be a valid HTTPS URL.")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !g.allowed(a) {
		return Invalid("url", "The 'url' field may use http only for addresses that the server was started with (--webhook-allow).")
	}
	return nil
}

// ParsePrefixes reads addresses and ranges, as --webhook-allow takes them.
func ParsePrefixes(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("%q is neither an address nor a range such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
