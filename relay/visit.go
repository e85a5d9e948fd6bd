package relay

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"bluerelay/mac"
)

// visit is what one request to the cloud has told.
type visit struct {
	server string // without scheme, for people
	err    error  // no answer
	status int
	skew   time.Duration // the cloud's clock minus ours
	dated  bool          // skew is known
	away   error         // no request was made: there is no credential
	proxy  bool          // it went by a proxy
}

// visitLimit bounds the request.
const visitLimit = 10 * time.Second

// pay visits the cloud with the credential, at the door where the link comes in but
// without asking for a websocket: a cloud that knows the Mac then says 400, one that does
// not 401. That way nothing happens there.
func (d *doctor) pay(ctx context.Context) visit {
	credential, keys, err := d.credential(ctx)
	if err != nil {
		return visit{away: err}
	}
	secret, err := keys.bearer(ctx)
	if err != nil {
		return visit{away: err}
	}
	v := visit{server: strings.TrimPrefix(strings.TrimPrefix(credential.Server, "https://"), "http://")}
	ctx, cancel := context.WithTimeout(ctx, visitLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, credential.Server+"/relay/v1/socket", nil)
	if err != nil {
		v.err = err
		return v
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	if at, err := http.ProxyFromEnvironment(req); err == nil && at != nil {
		v.proxy = true
	}
	// A connection of its own: what is kept alive says nothing of now.
	transport := credential.transport()
	transport.DisableKeepAlives = true
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	before := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		v.err = unwrapURL(err)
		return v
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4096))
	v.status = resp.StatusCode
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		// The header has whole seconds, and was written between the two.
		middle := before.Add(time.Since(before) / 2)
		v.skew, v.dated = at.Add(time.Second/2).Sub(middle), true
	}
	return v
}

// credential is the agent's own, or the one in the state folder, with its secrets.
func (d *doctor) credential(ctx context.Context) (Credential, *keyring, error) {
	if d.agent != nil {
		return d.agent.known(ctx), d.agent.keys, nil
	}
	c, err := LoadCredential(d.cfg.StateDir)
	c.Server = cmp.Or(d.cfg.Server, c.Server)
	return c, &keyring{dir: d.cfg.StateDir, tools: d.cfg.Tools}, err
}

// unreached says why the cloud gave no answer, and what to do.
func (v visit) unreached() verdict {
	const look = "Open the address in a browser on this Mac to see what stands in the way."
	err := v.err
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return fails("The proxy of this Mac does not answer: check HTTPS_PROXY in the agent's environment, or the network.", "no way through the proxy").in(mac.PaneNetwork)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fails(sentence(explain(err, v.server)), "unknown certificate")
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fails("The cloud at "+v.server+" shows a certificate of another name: check the address it was paired with, and the server's certificate.", "certificate of another name")
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return fails("The cloud's certificate is not valid today: renew it on the server, or set this Mac's clock if that is wrong.", "certificate expired, or not valid yet").in(mac.PaneClock)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fails("The cloud at "+v.server+" shows a certificate that is not good: look at it on the server.", "bad certificate")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return fails("The cloud at "+v.server+" does not speak TLS at this port: check the address and the server's --public-url.", "no TLS")
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		if e.IsNotFound {
			return fails("The name "+v.server+" does not exist: check the address it was paired with, and the domain's DNS record.", "the name is unknown").in(mac.PaneNetwork)
		}
		return fails("No name server answers: check this Mac's network.", "names cannot be looked up").in(mac.PaneNetwork)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fails("Nothing listens at "+v.server+": start the server, or check the address and the firewall.", "the connection is refused")
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return fails("There is no way to "+v.server+": check this Mac's network.", "no route").in(mac.PaneNetwork)
	case isTimeout(err):
		return fails("The cloud at "+v.server+" does not answer in time: check this Mac's network and the server. "+look, fmt.Sprintf("no answer in %s", visitLimit)).in(mac.PaneNetwork)
	}
	return fails("The cloud at "+v.server+" cannot be reached: check this Mac's network and the server. "+look, "the connection breaks").in(mac.PaneNetwork)
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}
