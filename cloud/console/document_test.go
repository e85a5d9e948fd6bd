package console_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"bluerelay/cloud/console"
)

// The page shows every operation and every object of a document, and all its links lead
// somewhere.
func TestDocs(t *testing.T) {
	c := console.Console{PublicURL: "https://blue.example"}
	var data []byte // of both documents
	for _, api := range []console.API{{Name: "Texting Blue", URL: "/v1/openapi.json"}, {Name: "Sendblue", URL: "/api/openapi.json"}} {
		var err error
		if api.Document, err = os.ReadFile("../" + strings.ToLower(strings.ReplaceAll(api.Name, " ", "")) + "/openapi.json"); err != nil {
			t.Fatal(err)
		}
		c.APIs = append(c.APIs, api)
		data = append(data, api.Document...)
	}
	resp := get(t, c, http.MethodGet, "/docs")
	page := text(t, resp)
	if resp.StatusCode != http.StatusOK || strings.Contains(page, "<script") || strings.Contains(page, "<no value>") {
		t.Fatalf("%d\n%s", resp.StatusCode, page)
	}
	for _, want := range []string{
		"<code>/v1/messages/send</code> Send a message", "curl -X POST &#39;https://blue.example/v1/messages/send&#39;", "x-api-key: YOUR_KEY", "Hello from Texting Blue!", "Idempotency-Key", "integer 1 to 100, default 50",
		`id="textingblue-Message"`, `href="/v1/openapi.json"`, `href="/api/openapi.json"`, "<code>/api/send-message</code>", "sb-api-secret-key: YOUR_KEY", "messages:send", "string or null",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	operations := strings.Count(string(data), `"operationId":`)
	if got := strings.Count(page, `class="method"`); got != operations {
		t.Errorf("the page shows %d of %d operations", got, operations)
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if n := strings.Count(page, `id="`+link[1]+`"`); n != 1 {
			t.Errorf("#%s is there %d times", link[1], n)
		}
	}
}

func TestDocsOfADocumentThatIsNone(t *testing.T) {
	c := console.Console{APIs: []console.API{{Name: "Broken", Document: []byte("{")}}}
	if resp := get(t, c, http.MethodGet, "/docs"); resp.StatusCode != http.StatusInternalServerError {
		t.Errorf("%d", resp.StatusCode)
	}
}
