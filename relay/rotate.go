package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"bluerelay/fault"
	"bluerelay/mac"
	"bluerelay/wire"
)

// rotateLimit bounds an exchange of the secret.
const rotateLimit = 30 * time.Second

// Rotate exchanges the secret of a state folder, beside a daemon or without one, and has
// certificates in PEM trusted beside the Mac's own, unless ca is "": from then on, if the
// exchange goes well by them. The error says what a person should do; whatever it is, one of
// the secrets that are kept opens the cloud.
func Rotate(ctx context.Context, dir string, tools mac.Tools, ca string) (Credential, error) {
	c, err := LoadCredential(dir)
	if err != nil {
		return c, err
	}
	if err := checkPrivate(dir); err != nil {
		return c, err
	}
	k := &keyring{dir: dir, tools: tools}
	if ca == "" {
		return c, k.rotate(ctx, c)
	}
	c.CA = ca
	if err := k.rotate(ctx, c); err != nil {
		return c, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return c, k.change(ctx, func(on *Credential) { on.CA = ca })
}

// rotate has the cloud issue another secret, writes it down, and shows it. From the first
// step to the last the cloud takes what is written down: it ends the former secret only when
// the new one was shown.
func (k *keyring) rotate(ctx context.Context, c Credential) error {
	ctx, cancel := context.WithTimeout(ctx, rotateLimit)
	defer cancel()
	client := k.client(c)
	defer client.CloseIdleConnections()
	var answer wire.RotationResponse
	if _, err := k.askForSecret(ctx, client, c, http.MethodPost, &answer); err != nil {
		return err
	}
	if answer.Secret == "" {
		return errors.New("the cloud did not issue a secret: the present one goes on")
	}
	k.mu.Lock()
	err := k.change(ctx, func(c *Credential) { c.Next = answer.Secret })
	k.mu.Unlock()
	if err != nil {
		return err
	}
	fault.Hit(fault.RelaySecretNext)
	shown, err := k.askForSecret(ctx, client, c, http.MethodGet, nil)
	if err == nil && shown != answer.Secret {
		err = errors.New("the cloud does not know the secret that it has issued: the present one goes on")
	}
	return err
}

// askForSecret makes one request at the address of secrets, with each of the secrets that
// there are until the cloud takes one, which is returned.
func (k *keyring) askForSecret(ctx context.Context, client *http.Client, c Credential, method string, into any) (secret string, err error) {
	for {
		if secret, err = k.bearer(ctx); err != nil {
			return "", err
		}
		req, err := http.NewRequestWithContext(ctx, method, c.Server+"/relay/v1/credential", nil)
		if err != nil {
			return "", err
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", fmt.Errorf("reach the cloud at %s: %w", c.Server, explain(unwrapURL(err), hostOf(c.Server)))
		}
		data, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxFrame))
		resp.Body.Close()
		switch {
		case err != nil:
			return "", fmt.Errorf("read the cloud's answer: %w", err)
		case resp.StatusCode == http.StatusUnauthorized:
			if k.refuse(ctx, secret) {
				continue
			}
			return "", ErrRevoked
		case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
			return "", errNoRotation
		case resp.StatusCode >= 300:
			return "", fmt.Errorf("the cloud could not exchange the secret (HTTP %d): the present one goes on", resp.StatusCode)
		}
		if into != nil {
			if err := json.Unmarshal(data, into); err != nil {
				return "", errNoRotation
			}
		}
		return secret, k.accept(ctx, secret)
	}
}

var errNoRotation = errors.New("this cloud cannot exchange secrets: update bluecloud, or pair the Mac again")

// due tells whether the secret is older than it should be.
func (k *keyring) due(ctx context.Context, age time.Duration, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refresh(ctx) != nil {
		return false
	}
	since := k.seen.ModTime()
	if k.c.Since > 0 {
		since = time.UnixMilli(k.c.Since)
	}
	return now.Sub(since) > age
}

// hostOf is what people call a server.
func hostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return server
	}
	return u.Host
}
