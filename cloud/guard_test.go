package cloud

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// trap listens on this machine's loopback addresses and counts who comes.
type trap struct {
	port    string
	reached atomic.Int32
}

func newTrap(t *testing.T) *trap {
	t.Helper()
	var tr trap
	count := func(w http.ResponseWriter, _ *http.Request) { tr.reached.Add(1); w.WriteHeader(http.StatusNoContent) }
	server := httptest.NewUnstartedServer(http.HandlerFunc(count))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Listener.Close()
	first, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = &counting{first, &tr.reached}
	_, tr.port, _ = net.SplitHostPort(first.Addr().String())
	server.Start()
	t.Cleanup(server.Close)
	if six, err := net.Listen("tcp6", "[::]:"+tr.port); err == nil { // a machine without IPv6 has nothing to reach there
		other := httptest.NewUnstartedServer(http.HandlerFunc(count))
		other.Config.ErrorLog = server.Config.ErrorLog
		other.Listener.Close()
		other.Listener = &counting{six, &tr.reached}
		other.Start()
		t.Cleanup(other.Close)
	}
	return &tr
}

// counting counts connections, so that one without a request is noticed too.
type counting struct {
	net.Listener
	n *atomic.Int32
}

func (c *counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.n.Add(1)
	}
	return conn, err
}

// names answers every question for a name: the addresses of answers in turn, the
// last one for ever.
type names struct {
	answers [][]netip.Addr
	asked   atomic.Int32
}

// resolve makes the resolver of the process ask n, with its own code, so that
// spellings which some system resolvers know are names here and lead inside.
func (n *names) resolve(t *testing.T) {
	t.Helper()
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); n.serve(server) }()
	was := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp4", server.LocalAddr().String())
	}}
	t.Cleanup(func() { net.DefaultResolver = was; server.Close(); <-done })
}

func (n *names) serve(server net.PacketConn) {
	query := make([]byte, 1500)
	for {
		size, from, err := server.ReadFrom(query)
		if err != nil {
			return
		}
		if answer := n.answer(query[:size]); answer != nil {
			_, _ = server.WriteTo(answer, from)
		}
	}
}

// answer builds a reply to one question by RFC 1035 4.1. IPv6 is asked for at the
// same time; only questions for IPv4 take the next answer.
func (n *names) answer(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	if end+5 > len(query) {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	out := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+5]...)
	turn := int(n.asked.Load())
	if kind == 1 {
		turn = int(n.asked.Add(1)) - 1
	}
	for _, a := range n.answers[min(turn, len(n.answers)-1)] {
		if (kind == 1) != a.Is4() || kind != 1 && kind != 28 {
			continue
		}
		out[7]++
		out = append(out, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(a.BitLen()/8))
		out = append(out, a.AsSlice()...)
	}
	return out
}

// inside are spellings of hosts that lead, or would lead with some resolver, to
// addresses that are not the public's.
var inside = []string{
	"127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "0", "0.0.0.0", "00.00.00.00", "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1",
	"0x7F.0x0.0x0.0x1", "0177.0.0.1", "0177.1", "127.0.0.01", "127.0.0.1.", "127.00000.0.1", "1%32%37.0.0.1",
	"①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
	"localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "a.localhost", "rebind.example", "metadata.google.internal", "host.docker.internal", "kubernetes.default.svc",
	"[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::FFFF:0.0.0.0]",
	"[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001::1]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
	"[2001:db8::1]", "[2001:20::1]", "[3fff::1]", "[100::1]", "[5f00::1]", "[fc00::1]", "[fd00:ec2::254]", "[fd12:3456::1]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%25eth0]",
	"[::1%25lo]", "[2606:4700::1111%25lo]", "[fec0::1]", "[ff02::1]", "[ff05::1:3]", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::ffff:10.0.0.1]", "[4000::1]",
	"169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.0.1", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255", "100.64.0.1", "100.127.255.255",
	"198.18.0.1", "198.19.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "198.51.100.7", "203.0.113.9", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
}

func TestNothingInsideIsReached(t *testing.T) {
	if len(inside) < 60 {
		t.Fatalf("only %d spellings", len(inside))
	}
	tr := newTrap(t)
	lan := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("::ffff:127.0.0.1")}
	(&names{answers: [][]netip.Addr{lan}}).resolve(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:"+tr.port)
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:"+tr.port)
	t.Setenv("ALL_PROXY", "http://127.0.0.1:"+tr.port)
	client := newGuard(nil).client(5 * time.Second)
	defer client.CloseIdleConnections()
	for _, host := range inside {
		for _, scheme := range []string{"https", "http"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+host+":"+tr.port+"/", strings.NewReader("x"))
			if err != nil {
				continue // no URL at all
			}
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
				t.Errorf("%s://%s answered %d", scheme, host, resp.StatusCode)
				continue
			}
			var dns *net.DNSError
			if !errors.Is(err, ErrForbiddenAddress) && !errors.As(err, &dns) {
				t.Errorf("%s://%s: %v", scheme, host, err)
			}
			if problem := categorize(err); problem != "blocked_address" && problem != "dns" {
				t.Errorf("%s://%s is told as %s", scheme, host, problem)
			}
		}
	}
	if n := tr.reached.Load(); n != 0 {
		t.Errorf("%d connections came", n)
	}
}

// A name that leads to an allowed address once and inside the next time.
func TestRebindingNameGainsNothing(t *testing.T) {
	tr := newTrap(t)
	first, second := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	(&names{answers: [][]netip.Addr{{first}, {second}, {second, first}, {second}}}).resolve(t)
	client := newGuard(prefixes("127.0.0.2/32")).client(5 * time.Second)
	defer client.CloseIdleConnections()
	var got []string
	for range 4 {
		resp, err := client.Post("http://rebind.example:"+tr.port, "text/plain", strings.NewReader("x"))
		switch {
		case err == nil:
			resp.Body.Close()
			got = append(got, resp.Status)
		default:
			got = append(got, categorize(err))
		}
		client.CloseIdleConnections() // else the first connection is used again
	}
	// Where both are given, the allowed one is used.
	if want := "[204 No Content blocked_address 204 No Content blocked_address]"; fmt.Sprint(got) != want {
		t.Errorf("%v", got)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	tr := newTrap(t)
	for _, code := range []int{301, 302, 303, 307, 308} {
		away := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:"+tr.port+"/latest/meta-data", code))
		client := newGuard(prefixes("127.0.0.0/8")).client(5 * time.Second)
		resp, err := client.Post(away.URL, "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != code {
			t.Errorf("a redirect by %d ended with %d", code, resp.StatusCode)
		}
		client.CloseIdleConnections()
		away.Close()
	}
	if n := tr.reached.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// The environment's proxy would see the guard's address instead of the target.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	proxy, target := newTrap(t), newTrap(t)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://127.0.0.1:"+proxy.port)
	}
	t.Setenv("NO_PROXY", "")
	g := newGuard(prefixes("127.0.0.0/8"))
	for _, transport := range []http.RoundTripper{g.client(time.Second).Transport.(byScheme).https, g.client(time.Second).Transport.(byScheme).http} {
		if transport.(*http.Transport).Proxy != nil {
			t.Error("a transport has a proxy")
		}
	}
	client := g.client(5 * time.Second)
	defer client.CloseIdleConnections()
	// No loopback address here: net/http never uses a proxy for those.
	(&names{answers: [][]netip.Addr{{netip.MustParseAddr("127.0.0.1")}}}).resolve(t)
	resp, err := client.Post("http://hooks.example:"+target.port, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if proxy.reached.Load() != 0 || target.reached.Load() == 0 {
		t.Errorf("the proxy was reached %d times, the target %d", proxy.reached.Load(), target.reached.Load())
	}
}

func TestAllowedAddresses(t *testing.T) {
	tr := newTrap(t)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	client := newGuard(prefixes("127.0.0.1/32")).client(5 * time.Second)
	defer client.CloseIdleConnections()
	for raw, want := range map[string]string{
		"http://127.0.0.1:" + tr.port:          "204",
		"http://[::ffff:127.0.0.1]:" + tr.port: "204",
		"http://127.0.0.3:" + tr.port:          "blocked_address",
		"http://[::1]:" + tr.port:              "blocked_address",
		"http://10.1.2.3:" + tr.port:           "blocked_address",
		"http://93.184.216.34:" + tr.port:      "blocked_address", // public, but plain http is for allowed ones
		secure.URL:                             "exchange",        // reached; its certificate is nobody's
	} {
		resp, err := client.Post(raw, "text/plain", strings.NewReader("x"))
		got := ""
		if err != nil {
			got = categorize(err)
		} else {
			resp.Body.Close()
			got = fmt.Sprint(resp.StatusCode)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	for _, s := range []string{
		"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
		"192.0.1.0", "192.0.3.0", "192.88.98.255", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "203.0.112.255", "203.0.114.0", "223.255.255.255", "168.63.129.15", "168.63.129.17",
		"::ffff:8.8.8.8", "2606:4700::1111", "2001:4860:4860::8888", "2001:200::1", "2003::1", "2a00:1450::1", "3ffe::1",
	} {
		if !(guard{}).public(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
	for _, host := range inside {
		a, err := netip.ParseAddr(strings.NewReplacer("[", "", "]", "", "%25", "%").Replace(host))
		if err == nil && (guard{}).public(a) {
			t.Errorf("%s is not public", host)
		}
	}
}

func TestURLsOfWebhooks(t *testing.T) {
	none, lan := newGuard(nil), newGuard(prefixes("10.0.0.0/8", "127.0.0.1/32"))
	for _, c := range []struct {
		raw        string
		none, some bool
	}{
		{"https://example.com/hook?a=b", true, true}, {"https://example.com:8443", true, true}, {"HTTPS://EXAMPLE.COM", true, true},
		{"https://[2606:4700::1111]/", true, true}, {"https://127.0.0.1/", true, true}, // refused at the dial
		{"http://example.com", false, true}, {"http://10.1.2.3/hook", false, true}, {"http://127.0.0.1:8080", false, true}, {"http://[::ffff:10.0.0.1]", false, true},
		{"https://example.com:80", true, true}, {"https://example.com:1024", true, true}, {"https://example.com:", true, true},
		{"https://example.com:22", false, true}, {"https://example.com:5432", false, true}, {"https://example.com:65536", false, false}, // with an allow-list the dial decides
		{"http://127.0.0.2", false, false}, {"http://8.8.8.8", false, false}, {"http://[::1]", false, false},
		{"", false, false}, {"example.com", false, false}, {"//example.com", false, false}, {"https://", false, false}, {"https:///path", false, false}, {"https://:443", false, false},
		{"https://user@example.com", false, false}, {"https://user:pw@example.com", false, false}, {"https://example.com/#part", false, false}, {"ftp://example.com", false, false},
		{"file:///etc/passwd", false, false}, {"gopher://127.0.0.1", false, false}, {"javascript:alert(1)", false, false}, {"https://exa mple.com", false, false}, {"https://example.com/\n", false, false},
		{"https://example.com:port", false, false}, {"https://[::1", false, false}, {"https://example.com/" + strings.Repeat("x", 2048), false, false},
	} {
		if got := none.checkURL(c.raw) == nil; got != c.none {
			t.Errorf("%.40q without an allow-list: %t", c.raw, got)
		}
		if got := lan.checkURL(c.raw) == nil; got != c.some {
			t.Errorf("%.40q with one: %t", c.raw, got)
		}
	}
}

func FuzzURLsOfWebhooks(f *testing.F) {
	for _, host := range inside {
		f.Add("https://" + host + "/")
		f.Add("http://" + host + ":8080/")
	}
	f.Add("https://user@example.com/#x")
	g := newGuard(prefixes("10.0.0.0/8"))
	f.Fuzz(func(t *testing.T, raw string) {
		err := g.checkURL(raw)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Code != InvalidRequest || e.Param != "url" {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
			t.Fatalf("%q was accepted", raw)
		}
		if a, err := netip.ParseAddr(u.Hostname()); u.Scheme == "http" && err == nil && !g.allowed(a) {
			t.Fatalf("%q was accepted", raw)
		}
		if _, err := http.NewRequest(http.MethodPost, raw, nil); err != nil {
			t.Fatalf("%q was accepted and cannot be called: %v", raw, err)
		}
	})
}

func TestParsePrefixes(t *testing.T) {
	got, err := ParsePrefixes([]string{"10.1.2.3/8", "127.0.0.1", "fd00::/8", "::1"})
	if err != nil || fmt.Sprint(got) != "[10.0.0.0/8 127.0.0.1/32 fd00::/8 ::1/128]" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "localhost", "10.0.0.0/33", "10.0.0/8", "*"} {
		if _, err := ParsePrefixes([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
