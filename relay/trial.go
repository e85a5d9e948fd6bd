package relay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"bluerelay/wire"
)

// Trial has the cloud send a message from this Mac's own line to a number or address of
// the person at the Mac, and gives its id. It goes the way of every other message. The
// error says what a person should do.
func Trial(ctx context.Context, cfg Config, to string) (message string, err error) {
	c, err := LoadCredential(cfg.StateDir)
	if err != nil {
		return "", err
	}
	c.Server = cmp.Or(cfg.Server, c.Server)
	body, err := json.Marshal(wire.Trial{To: to})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Server+"/relay/v1/test", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	client := (&keyring{dir: cfg.StateDir, tools: cfg.Tools}).client(c)
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("reach the cloud at %s: %w", c.Server, explain(unwrapURL(err), hostOf(c.Server)))
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxFrame))
	if err != nil {
		return "", fmt.Errorf("read the cloud's answer: %w", err)
	}
	var answer wire.TrialAnswer
	_ = json.Unmarshal(data, &answer) // a proxy's page is no JSON; the status says enough
	switch {
	case resp.StatusCode == http.StatusAccepted && answer.Message != "":
		return answer.Message, nil
	case resp.StatusCode == http.StatusUnauthorized:
		return "", ErrRevoked
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
		return "", errors.New("the cloud does not know test messages yet: update bluecloud")
	}
	return "", errors.New(cmp.Or(answer.Error, fmt.Sprintf("the cloud refused the test message (HTTP %d)", resp.StatusCode)))
}

// Progress is how far one of our messages has come, as the agent has last reported it:
// from sent on by its row in chat.db.
type Progress struct {
	Kind   wire.Kind `json:"kind,omitempty"` // empty while the agent does not know the message
	Again  bool      `json:"again,omitempty"`
	Reason string    `json:"reason,omitempty"` // one sentence
}

// Message asks the agent about a message.
func (a Agent) Message(ctx context.Context, id string) (Progress, error) {
	var p Progress
	err := a.get(ctx, "/v1/messages/"+url.PathEscape(id), &p)
	return p, err
}

// serveMessage tells what the journal last reported of a message.
func (l *desk) serveMessage(w http.ResponseWriter, r *http.Request) {
	last, err := l.journal.lastReport(r.Context(), r.PathValue("id"))
	if err != nil {
		answerLocal(w, http.StatusInternalServerError, localError{"The agent cannot read its journal: look at its log."})
		return
	}
	p := Progress{Kind: last.Kind, Again: last.Again}
	if last.Fault != nil {
		p.Reason = last.Fault.Text
	}
	answerLocal(w, http.StatusOK, p)
}
