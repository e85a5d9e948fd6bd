package cloudtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Page is a public API's page, whose curl lines must work as they stand there, but for
// host, keys and ids, and whose printed answers ours must agree with. The page itself is
// no part of the project: for each example there is a golden file of ours, with the
// request that it makes and the answer that it gets. Where the page is at hand its curl
// lines make the requests, and must make those of the files; where it is not, the files do.
type Page struct {
	File     string   // of the page
	Names    []string // of its examples, in its order
	Host     string   // of its curl lines
	Headers  []string // of requests, that the page names
	Changing Changing
	// Own are members whose value is the server's own: of them only the type counts. All
	// others of the page's answers have its very values.
	Own []string
	// After is called when an example has had its answer; nil for nothing.
	After func(name string)
}

// example is a curl line and the answer that the page prints below it, nil for none.
type example struct {
	curl   string
	answer json.RawMessage
}

// Run makes the page's requests of a server, in their order. real is what stands here for
// keys and ids of the page, in pairs.
func (p Page) Run(t *testing.T, server string, real ...string) {
	t.Helper()
	examples := p.examples(t)
	w := newWitness(t, server, p.Headers)
	there, back := strings.NewReplacer(append(real, p.Host, w.server.URL)...), strings.NewReplacer(reversed(real)...)
	for i, name := range p.Names {
		file := "page_" + name + ".http"
		if examples == nil {
			w.replay(t, there, file)
		} else if out, err := exec.Command("sh", "-c", there.Replace(examples[i].curl)).Output(); err != nil {
			t.Fatalf("%s\n%v %s", examples[i].curl, err, out)
		}
		request, answer := w.last()
		p.Changing.Golden(t, file, back.Replace(request)+"\n---\n"+back.Replace(answer)+"\n")
		if p.After != nil {
			p.After(name)
		}
		if examples == nil || examples[i].answer == nil {
			continue
		}
		var got, want any
		_, body, _ := strings.Cut(answer, "\n")
		if err := errors.Join(json.Unmarshal([]byte(body), &got), json.Unmarshal(examples[i].answer, &want)); err != nil {
			t.Fatal(err)
		}
		p.agree(t, name, got, want)
	}
}

func reversed(pairs []string) []string {
	back := slices.Clone(pairs)
	for i := 0; i+1 < len(back); i += 2 {
		back[i], back[i+1] = back[i+1], back[i]
	}
	return back
}

// examples reads the page; nil where it is not on this machine, which is a failure in CI.
func (p Page) examples(t *testing.T) (list []example) {
	t.Helper()
	data, err := os.ReadFile(p.File)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); i++ {
		switch {
		case strings.HasPrefix(lines[i], "curl "):
			from := i
			for text := lines[i]; strings.HasSuffix(text, `\`) || strings.Count(text, "'")%2 != 0; text += "\n" + lines[i] {
				i++
			}
			list = append(list, example{curl: strings.Join(lines[from:i+1], "\n")})
		case lines[i] == "{" && len(list) > 0:
			one := &list[len(list)-1]
			if err := json.NewDecoder(strings.NewReader(strings.Join(lines[i:], "\n"))).Decode(&one.answer); err != nil {
				t.Fatalf("%s, line %d: %v", p.File, i+1, err)
			}
			i += strings.Count(string(one.answer), "\n")
		}
	}
	if len(list) != len(p.Names) {
		t.Fatalf("%s has %d examples", p.File, len(list))
	}
	return list
}

// agree holds what we say against what the page says.
func (p Page) agree(t *testing.T, at string, got, want any) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		members, _ := got.(map[string]any)
		for name, value := range want {
			have, there := members[name]
			switch {
			case !there:
				t.Errorf("%s.%s is missing", at, name)
			case slices.Contains(p.Own, name):
				if reflect.TypeOf(have) != reflect.TypeOf(value) {
					t.Errorf("%s.%s is %v, the page has %v", at, name, have, value)
				}
			default:
				p.agree(t, at+"."+name, have, value)
			}
		}
	case []any:
		items, _ := got.([]any)
		if len(items) == 0 && len(want) > 0 {
			t.Errorf("%s is empty", at)
		}
		for i := range min(len(items), len(want)) {
			p.agree(t, fmt.Sprintf("%s[%d]", at, i), items[i], want[i])
		}
	default:
		if got != want {
			t.Errorf("%s is %v, the page has %v", at, got, want)
		}
	}
}

// witness stands before a server and keeps the last exchange.
type witness struct {
	server *httptest.Server

	mu              sync.Mutex // whoever made the request may be another process
	request, answer string
}

// last is the exchange that was kept.
func (w *witness) last() (request, answer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.request, w.answer
}

func newWitness(t *testing.T, server string, headers []string) *witness {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	w := new(witness)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(resp *http.Response) error {
		body, err := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answer = fmt.Sprintf("%d\n%s", resp.StatusCode, body)
		return err
	}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var request strings.Builder
		request.WriteString(r.Method + " " + r.RequestURI)
		for _, name := range headers {
			if value := r.Header.Get(name); value != "" {
				request.WriteString("\n" + name + ": " + value)
			}
		}
		if len(body) > 0 {
			request.WriteString("\n\n" + string(body))
		}
		w.mu.Lock()
		w.request = request.String()
		w.mu.Unlock()
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(w.server.Close)
	return w
}

// replay makes the request of a golden file.
func (w *witness) replay(t *testing.T, there *strings.Replacer, file string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	request, _, _ := strings.Cut(there.Replace(string(data)), "\n---\n")
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(head, "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	req, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
