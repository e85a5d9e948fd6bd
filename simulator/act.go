package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// ErrNotRunning is wrapped by what acts on a Messages that is not there.
var ErrNotRunning = errors.New("no simulated Messages is running")

// Inbound is a message from another person.
type Inbound struct {
	// From is the sender: E.164, a short code, or a mail address.
	From string `json:"from"`
	// To is the own address that it came in on; empty means Options.Number.
	To string `json:"to"`
	// Text is kept verbatim; it may be empty only where there is Media.
	Text string `json:"text"`
	// Media is the path of a regular file to attach; it is copied before
	// Receive returns. Empty means none.
	Media string `json:"media"`
	// Service is iMessage, SMS or RCS; empty means iMessage.
	Service string `json:"service"`
	// Group is the guid of the group that it came in, as Group made it; empty means
	// the conversation with From.
	Group string `json:"group,omitzero"`
}

// typing is the request of Type.
type typing struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

// Receive lets a message come in at the Messages that runs in dir and returns
// the guid of its row, which appears a few milliseconds later, its chat after
// that. The message is durable when Receive returns. It fails with
// ErrNotRunning where none runs.
func Receive(ctx context.Context, dir string, in Inbound) (guid string, err error) {
	if in.Media != "" {
		if in.Media, err = filepath.Abs(in.Media); err != nil {
			return "", fmt.Errorf("find media: %w", err)
		}
	}
	return act(ctx, dir, pathReceive, in)
}

// Type writes text to the one-to-one chat with to as if the owner had typed
// it on another device: an own row that no osascript asked for, already sent
// when it appears. It returns the guid of that row, and fails with
// ErrNotRunning where no Messages runs in dir.
func Type(ctx context.Context, dir, to, text string) (guid string, err error) {
	return act(ctx, dir, pathType, typing{To: to, Text: text})
}

// act asks the Messages of dir for one thing and gives its guid.
func act(ctx context.Context, dir, path string, in any) (string, error) {
	app, err := reachFolder(ctx, dir)
	if err != nil {
		return "", err
	}
	defer app.close()
	defer context.AfterFunc(ctx, app.close)()
	a, err := app.post(path, in)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("ask simulated Messages: %w", err)
	case a.Fault != "":
		return "", errors.New(a.Fault)
	}
	return a.GUID, nil
}

func reachFolder(ctx context.Context, dir string) (*connection, error) {
	deadline := time.Now().Add(eventTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	addr, err := readAddress(dir)
	if err == nil {
		var app *connection
		if app, err = connect(addr, deadline); err == nil {
			return app, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	return nil, fmt.Errorf("%w in %s: start `bluecloud up --simulate`", ErrNotRunning, dir)
}

// life checks an inbound message and copies its file.
func (in Inbound) life(e *engine) (*life, error) {
	from := canonicalHandle(in.From)
	if !plausibleHandle(from) {
		return nil, faultf("the sender must be a phone number with its +, a short code or a mail address")
	}
	service := cmp.Or(in.Service, serviceIMessage)
	if service != serviceIMessage && service != serviceSMS && service != serviceRCS {
		return nil, faultf("the service must be iMessage, SMS or RCS")
	}
	if in.Text == "" && in.Media == "" {
		return nil, faultf("a message needs a text or a file")
	}
	l := inboundLife(from, cmp.Or(in.To, e.opts.Number), service, in.Text, nil)
	if in.Group != "" {
		if !isGroup(in.Group) {
			return nil, faultf("%q is no guid of a group", in.Group)
		}
		l.Chat = in.Group
	}
	if in.Media == "" {
		return l, nil
	}
	file, err := takeFile(e.attachments(), in.Media, l.GUID)
	if errors.Is(err, errNoFile) {
		return nil, faultf("%s is not a readable file", in.Media)
	}
	l.File = file
	l.Steps = append(l.Steps, file.steps()...)
	return l, err
}

// plausibleHandle keeps out what can be no address; it is no validation of
// numbers.
func plausibleHandle(h string) bool {
	if strings.Contains(h, "@") {
		return !strings.ContainsAny(h, " \t\r\n;")
	}
	digits := strings.TrimPrefix(h, "+")
	return digits != "" && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}
