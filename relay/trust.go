package relay

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// ReadAuthorities checks what --ca names: certificates in PEM, of authorities or of a server
// itself.
func ReadAuthorities(data []byte) (string, error) {
	rest, n := data, 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return "", fmt.Errorf("the file of --ca has a %s in it, which is not for this Mac: it must have certificates only", strings.ToLower(block.Type))
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "", errors.New("a certificate in the file of --ca cannot be read")
		}
		n++
	}
	if n == 0 || len(bytes.TrimSpace(rest)) > 0 {
		return "", errors.New("the file of --ca must have certificates in PEM, -----BEGIN CERTIFICATE----- and so on")
	}
	return string(data), nil
}

// transport is how the cloud is reached: by the authorities that this Mac trusts and those
// of --ca.
func (c Credential) transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = c.tls()
	return t
}

// tls is nil where this Mac's own trust is enough.
func (c Credential) tls() *tls.Config {
	if c.CA == "" {
		return nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // the cloud's own is there all the same
	}
	pool.AppendCertsFromPEM([]byte(c.CA))
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

// explain makes a sentence of what is wrong with a server's certificate; other errors stay
// as they are.
func explain(err error, host string) error {
	if e, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if c := e.Cert; c != nil && bytes.Equal(c.RawIssuer, c.RawSubject) {
			return fmt.Errorf("the certificate of %s is self-signed, and this Mac does not trust it: if the server is yours, give its certificate with `--ca FILE`, or have this Mac trust it in Keychain Access", host)
		}
		return fmt.Errorf("the certificate of %s is by an authority that this Mac does not trust%s: if that is your own, give its certificate with `--ca FILE`, or have this Mac trust it in Keychain Access; otherwise somebody may be in between", host, issuer(e.Cert))
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("the certificate that %s shows is for %s: use the address that it is for, or mend the server's certificate", host, namesIn(e.Certificate))
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return fmt.Errorf("the certificate of %s is good from %s to %s, and this Mac's clock says %s: renew it on the server, or set the clock", host, day(e.Cert.NotBefore), day(e.Cert.NotAfter), day(time.Now()))
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%s does not speak TLS at this port: check the address, or the proxy before the server", host)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("this Mac does not trust the certificate of %s: if the server is yours, give its certificate with `--ca FILE`: %w", host, err)
	}
	return err
}

func issuer(c *x509.Certificate) string {
	if c == nil || c.Issuer.CommonName == "" {
		return ""
	}
	return fmt.Sprintf(" (%.60q)", c.Issuer.CommonName)
}

func namesIn(c *x509.Certificate) string {
	list := c.DNSNames
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return "no address"
	}
	return fmt.Sprintf("%.120s", strings.Join(list, ", "))
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
