package textingblue

import (
	"net/http"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// onceOf reads a request's key, nil where it has none. A body that cannot be read as
// JSON has no meaning to remember: the handler refuses it.
func onceOf(r *http.Request, body []byte) (*cloud.Once, error) {
	key, err := cloud.IdempotencyKey(r.Header)
	if err != nil || key == "" {
		return nil, err
	}
	print, err := cloud.Fingerprint(r.Method, r.URL.Path, body)
	if err != nil {
		return nil, nil
	}
	return &cloud.Once{Key: key, Fingerprint: print, Answer: func(m store.Message) (int, []byte, error) {
		out := accepted(m)
		data, err := cloud.JSON(out.body)
		return out.status, data, err
	}}, nil
}
