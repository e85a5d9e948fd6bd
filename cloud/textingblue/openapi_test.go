package textingblue_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync"
	"testing"

	"bluerelay/cloud/textingblue"
	"bluerelay/contract"
)

// document is the API's, read once.
var document = sync.OnceValues(func() (*contract.Document, error) { return contract.Parse(textingblue.Document()) })

// held serves an API whose every answer must be as the document says.
func held(t testing.TB, api http.Handler) http.Handler {
	t.Helper()
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return d.Hold(t, api)
}

func TestDocumentIsUpToDate(t *testing.T) { contract.UpToDate(t, textingblue.Document()) }

// The document and the router have the same routes, with the same permissions.
func TestDocumentNamesEveryRoute(t *testing.T) {
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for _, o := range d.Operations() {
		if !o.Open() {
			described = append(described, o.Pattern()+" "+o.Permission())
		}
	}
	for _, r := range textingblue.New(nil, nil).Routes() {
		if r.Pattern != "/" {
			served = append(served, r.Pattern+" "+r.Need)
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	same(t, "the document's routes are not the router's", described, served)
}

func TestDocumentNeedsNoKey(t *testing.T) {
	w := newWorld(t, nil)
	resp, err := http.Get(w.server.URL + "/v1/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || resp.Header.Get("x-ratelimit-remaining") != "2147483647" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}

// shows fails unless a body of the API's page is an answer by the document, and its
// example there.
func shows(t *testing.T, method, path string, status int, body []byte) {
	t.Helper()
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	h := http.Header{"Content-Type": {"application/json"}, "X-Ratelimit-Remaining": {"59"}}
	if err := d.Check(r, status, h, body); err != nil {
		t.Errorf("%s %s: %v", method, path, err)
	}
	var shown any
	if err := json.Unmarshal(body, &shown); err != nil {
		t.Fatal(err)
	}
	if o, _ := d.Operation(r); !reflect.DeepEqual(o.Example(status), shown) {
		t.Errorf("%s %s: the document's example is another: %v", method, path, o.Example(status))
	}
}
