package relay

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"bluerelay/wire"
)

// courier brings files to the cloud, from where it was cut to their end. It may be
// used for several files at once.
type courier struct {
	server string
	http   *http.Client
	stall  time.Duration // how long nothing may move
}

func newCourier(r *Relay) courier {
	return courier{server: r.credential.Server, stall: r.cfg.Stall, http: r.keys.longClient()}
}

// parcel is one file to be brought.
type parcel struct {
	fileID
	variant string
	name    string
	mime    string
}

// refusal is an answer of the cloud that is not the hoped for one.
type refusal struct{ status int }

func (e *refusal) Error() string { return fmt.Sprintf("the cloud answered %d", e.status) }

// has asks whether the cloud has a file already, whatever its bytes.
func (c courier) has(ctx context.Context, p parcel) (bool, error) {
	_, complete, err := c.ask(ctx, p, nil)
	return complete, err
}

// bring sends a file and returns once the cloud has it, checked and on disk. What
// the cloud got before the connection was cut is not sent again.
func (c courier) bring(ctx context.Context, p parcel, f *os.File) error {
	whole, err := measure(f)
	if err != nil {
		return err
	}
	const rounds = 3 // an offset that the cloud sees otherwise is asked for again
	for range rounds {
		offset, complete, err := c.ask(ctx, p, whole)
		if err != nil || complete {
			return err
		}
		complete, err = c.put(ctx, p, whole, f, offset)
		if refused, ok := errors.AsType[*refusal](err); ok && refused.status == http.StatusConflict {
			continue
		}
		if err != nil || complete {
			return err
		}
	}
	return errors.New("the cloud and the relay do not agree on how much of a file was sent")
}

// giveUp tells the cloud that a file will not come.
func (c courier) giveUp(ctx context.Context, p parcel) error {
	resp, err := c.do(ctx, http.MethodDelete, p, nil, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &refusal{resp.StatusCode}
	}
	return nil
}

// digest is size and SHA-256 of a whole file.
type digest struct {
	size   int64
	sha256 []byte
}

func measure(f *os.File) (*digest, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read an attachment: %w", err)
	}
	sum := sha256.New()
	n, err := io.Copy(sum, io.LimitReader(f, wire.MaxMediaBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read an attachment: %w", err)
	}
	return &digest{n, sum.Sum(nil)}, nil
}

// ask learns how much of a file the cloud has.
func (c courier) ask(ctx context.Context, p parcel, whole *digest) (offset int64, complete bool, err error) {
	resp, err := c.do(ctx, http.MethodHead, p, whole, nil)
	if err != nil {
		return 0, false, err
	}
	return read(resp)
}

// put sends the rest of a file.
func (c courier) put(ctx context.Context, p parcel, whole *digest, f *os.File, offset int64) (complete bool, err error) {
	if offset > whole.size {
		return false, &refusal{http.StatusConflict}
	}
	body := io.NewSectionReader(f, offset, whole.size-offset)
	resp, err := c.do(ctx, http.MethodPut, p, whole, body)
	if err != nil {
		return false, err
	}
	_, complete, err = read(resp)
	return complete, err
}

func read(resp *http.Response) (offset int64, complete bool, err error) {
	if resp.StatusCode >= 300 {
		return 0, false, &refusal{resp.StatusCode}
	}
	offset, err = strconv.ParseInt(resp.Header.Get(wire.HeaderOffset), 10, 64)
	if err != nil || offset < 0 {
		return 0, false, errors.New("the cloud did not say how much of the file it has")
	}
	return offset, resp.Header.Get(wire.HeaderComplete) == "?1", nil
}

// do makes one request, for as long as something moves. The answer's body is read
// and dropped: its headers say all.
func (c courier) do(ctx context.Context, method string, p parcel, whole *digest, body *io.SectionReader) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(c.stall, cancel)
	defer watch.Stop()
	q := url.Values{"message": {p.message}}
	if p.variant != "" {
		q.Set("variant", p.variant)
	}
	var payload io.Reader
	if body != nil {
		q.Set("name", p.name)
		q.Set("mime", p.mime)
		payload = http.NoBody
		if body.Size() > 0 {
			payload = &watched{body, watch, c.stall}
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+"/relay/v1/media/"+url.PathEscape(p.attachment)+"?"+q.Encode(), payload)
	if err != nil {
		return nil, fmt.Errorf("bring a file: %w", unwrapURL(err))
	}
	if whole != nil {
		req.Header.Set(wire.HeaderLength, strconv.FormatInt(whole.size, 10))
		req.Header.Set(wire.HeaderDigest, "sha-256=:"+base64.StdEncoding.EncodeToString(whole.sha256)+":")
	}
	if body != nil {
		_, offset, _ := body.Outer()
		req.ContentLength = body.Size()
		req.Header.Set(wire.HeaderOffset, strconv.FormatInt(offset, 10))
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("bring a file: %w", unwrapURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, wire.MaxFrame)) // only so that the connection can be used again
	return resp, nil
}

// watched puts the end off with every piece that is read.
type watched struct {
	io.Reader
	watch *time.Timer
	stall time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.Reset(w.stall)
	return w.Reader.Read(p)
}
