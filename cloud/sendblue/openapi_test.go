package sendblue_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"bluerelay/cloud/sendblue"
	"bluerelay/contract"
)

// document is the API's, read once.
var document = sync.OnceValues(func() (*contract.Document, error) { return contract.Parse(sendblue.Document()) })

// held serves an API whose every answer must be as the document says.
func held(t testing.TB, api http.Handler) http.Handler {
	t.Helper()
	d, err := document()
	if err != nil {
		t.Fatal(err)
	}
	return d.Hold(t, api)
}

func TestDocumentIsUpToDate(t *testing.T) { contract.UpToDate(t, sendblue.Document()) }

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
	for _, r := range sendblue.New(nil, nil).Routes() {
		if r.Pattern != "/" {
			served = append(served, r.Pattern+" "+r.Need)
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("the document's routes are not the router's\ngot  %v\nwant %v", described, served)
	}
}

func TestDocumentNeedsNoKey(t *testing.T) {
	w := newWorld(t, nil)
	resp, err := http.Get(w.server.URL + "/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || resp.Header.Get("x-ratelimit-remaining") != "2147483647" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
}
