package sendblue

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"bluerelay/cloud"
	"bluerelay/wire"
)

func (a *API) fileRoutes() {
	a.handle("POST /api/upload-file", cloud.MessagesSend, a.uploadFile)
	a.handleOnce("POST /api/upload-media-object", cloud.MessagesSend, a.uploadMediaObject)
}

// uploaded is the answer to an upload.
type uploaded struct {
	Status        string `json:"status"`
	Message       string `json:"message"`
	MediaObjectID string `json:"mediaObjectId"`
	MediaURL      string `json:"media_url"`
	// ExpiresAt is when the file goes.
	ExpiresAt string `json:"expires_at"`
}

func created(f cloud.File) reply {
	return reply{http.StatusCreated, uploaded{statusOK, "File uploaded successfully", f.ID, f.URL, stamp(f.ExpiresAt)}}
}

// envelopeRoom is how much longer than its file the body of an upload may be, in bytes.
const envelopeRoom = 1 << 20

// uploadFile takes the one file of a form, as it comes: it is never in memory.
func (a *API) uploadFile(ctx context.Context, c call) (reply, error) {
	body, end, err := a.cloud.Intake(c.out, c.Request)
	if err != nil {
		return reply{}, err
	}
	defer end()
	c.Body = io.NopCloser(io.LimitReader(body, wire.MaxMediaBytes+envelopeRoom))
	form, err := c.MultipartReader()
	if err != nil {
		return reply{}, cloud.Invalid("file", "The request must be multipart/form-data with one field 'file'.")
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return reply{}, missing("file")
		}
		if err != nil {
			return reply{}, cloud.Invalid("file", "The form could not be read.")
		}
		if part.FormName() == "file" {
			return a.keepPart(ctx, c, part)
		}
	}
}

func (a *API) keepPart(ctx context.Context, c call, part *multipart.Part) (reply, error) {
	f, err := a.cloud.StoreFile(ctx, c.who, part.FileName(), part.Header.Get("Content-Type"), part)
	if err != nil {
		return reply{}, err
	}
	return created(f), nil
}

// uploadMediaObject takes a file from its address.
func (a *API) uploadMediaObject(ctx context.Context, c call) (reply, error) {
	f, err := c.object()
	if err != nil {
		return reply{}, err
	}
	address, err := f.text("media_url")
	if err != nil {
		return reply{}, err
	}
	file, err := a.cloud.FetchFile(ctx, c.who, address, c.once, func(f cloud.File) (int, []byte, error) { return created(f).encode() })
	if err != nil {
		return reply{}, err
	}
	return created(file), nil
}
