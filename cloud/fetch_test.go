package cloud_test

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// jpeg begins as a picture does.
var jpeg = append([]byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"), bytes.Repeat([]byte("a private picture"), 5000)...)

// site is a server of the outside world, with a certificate of its own.
func site(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}

// reaching lets the cloud fetch from a site, quickly again where it fails.
func reaching(s *httptest.Server, more ...func(*cloud.Config)) func(*cloud.Config) {
	return func(c *cloud.Config) {
		c.WebhookAllow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		c.MediaRoots = x509.NewCertPool()
		c.MediaRoots.AddCert(s.Certificate())
		c.FetchRetry = time.Millisecond
		for _, change := range more {
			change(c)
		}
	}
}

// sendFile stores a message with a file and returns its id.
func (w *world) sendFile(to, url string) string {
	w.t.Helper()
	m, err := w.service.Send(w.t.Context(), w.who, cloud.Outgoing{From: w.line.PhoneNumber, To: to, Content: secretText, MediaURL: url, MaxMedia: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	return m.ID
}

// download asks for a file as a relay does.
func (w *world) download(secret, id string, header ...string) (*http.Response, []byte) {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodGet, w.server.URL+"/relay/v1/files/"+id, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, data
}

// A message with a file is answered at once, waits for the file, and goes with it; the
// next to the same person waits behind it.
func TestFileGoesWithItsMessage(t *testing.T) {
	come := make(chan struct{})
	s := site(t, func(rw http.ResponseWriter, r *http.Request) {
		<-come
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write(jpeg)
	})
	answer := sync.OnceFunc(func() { close(come) })
	t.Cleanup(answer) // before the site closes, which waits
	w := newWorld(t, reaching(s))
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	url := s.URL + "/a%20holiday.png?key=secret"
	id := w.sendFile(somebody, url)
	behind, beside := w.send(somebody), w.send("+14155550001")
	if got := orderIDs(m.idle()); !slices.Equal(got, []string{beside}) {
		t.Fatalf("%v", got)
	}
	if got := w.message(id); got.Status != wire.Queued || !got.AwaitsMedia || got.MediaURL != url {
		t.Errorf("%+v", got)
	}
	if why, err := w.service.WaitingFor(t.Context(), w.message(id)); err != nil || why == nil || why.Code != cloud.WaitingMedia {
		t.Errorf("%+v, %v", why, err)
	}
	answer()
	o := m.order()
	sum := sha256.Sum256(jpeg)
	if o.Message != id || o.Text != secretText || o.File == nil || o.File.Name != "a_holiday.jpg" || o.File.MIME != "image/jpeg" ||
		o.File.Size != int64(len(jpeg)) || o.File.SHA256 != hex.EncodeToString(sum[:]) {
		t.Fatalf("%+v %+v", o, o.File)
	}
	resp, data := w.download(secret, o.File.ID)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(data, jpeg) || resp.Header.Get("ETag") == "" || !strings.HasPrefix(resp.Header.Get(wire.HeaderDigest), "sha-256=:") {
		t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(data), resp.Header)
	}
	resp, data = w.download(secret, o.File.ID, "Range", "bytes=100-", "If-Range", resp.Header.Get("ETag"))
	if resp.StatusCode != http.StatusPartialContent || !bytes.Equal(data, jpeg[100:]) {
		t.Errorf("%d, %d bytes", resp.StatusCode, len(data))
	}
	// Nobody else's, and nothing but what is to be sent.
	foreign := w.paired(w.addLine(w.who, "+14155550000"))
	m.announces("guid", wire.Media{ID: "at_1"})
	inbound := w.column("SELECT id FROM media WHERE guid = 'at_1'")[0]
	for name, c := range map[string]struct {
		secret, id string
		want       int
	}{
		"another line's": {foreign, o.File.ID, http.StatusNotFound}, "a stranger": {"rly_x", o.File.ID, http.StatusUnauthorized},
		"an inbound one": {secret, inbound, http.StatusNotFound}, "nothing": {secret, "med_x", http.StatusNotFound}, "a way out": {secret, "..%2fcloud.db", http.StatusNotFound},
	} {
		if resp, _ := w.download(c.secret, c.id); resp.StatusCode != c.want {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "row"})
	if o := m.order(); o.Message != behind || o.File != nil {
		t.Errorf("%+v", o)
	}
	// A relay cannot put files into a message that we send.
	if status := w.put(newFile(secret, "row", "at_x", picture), 0); status != http.StatusNotFound {
		t.Errorf("an upload: %d", status)
	}
	if got := w.message(id).MediaURL; got != url {
		t.Errorf("%q", got)
	}
}

// What may pass is tried again, across a restart, until its time is over.
func TestFetchingGoesOn(t *testing.T) {
	var tries atomic.Int32
	var answer atomic.Int32
	answer.Store(http.StatusServiceUnavailable)
	s := site(t, func(rw http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		if status := int(answer.Load()); status != http.StatusOK {
			rw.WriteHeader(status)
			return
		}
		_, _ = rw.Write(jpeg)
	})
	w := newWorld(t, reaching(s))
	secret := w.paired(w.line)
	id := w.sendFile(somebody, s.URL+"/a.jpg")
	eventually(t, "three tries", func() bool { return tries.Load() >= 3 })
	w.restart()
	was := tries.Load()
	eventually(t, "two more", func() bool { return tries.Load() >= was+2 })
	answer.Store(http.StatusOK)
	m := w.connect(secret, hello("ins_a", 0))
	if o := m.order(); o.Message != id || o.File.Size != int64(len(jpeg)) {
		t.Errorf("%+v", o)
	}
	// The file outlives the message's time on the way, and a restart.
	w.sql("UPDATE media SET expires_at = 1")
	w.restart()
	m = w.connect(secret, hello("ins_a", 0))
	o := m.order()
	if resp, data := w.download(secret, o.File.ID); resp.StatusCode != http.StatusOK || !bytes.Equal(data, jpeg) {
		t.Errorf("%d", resp.StatusCode)
	}
	m.report(wire.Report{Kind: wire.Sent, Message: id})
	eventually(t, "the file is removed", func() bool { return len(w.files()) == 0 })
	if got := w.message(id).MediaURL; got != s.URL+"/a.jpg" {
		t.Errorf("%q", got)
	}
}

func TestFetchingEnds(t *testing.T) {
	var tries atomic.Int32
	s := site(t, func(rw http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		rw.WriteHeader(http.StatusTooManyRequests)
	})
	w := newWorld(t, reaching(s, func(c *cloud.Config) { c.FetchFor = 50 * time.Millisecond }))
	id := w.sendFile(somebody, s.URL+"/a.jpg")
	eventually(t, "it has failed", func() bool { return w.message(id).Status == wire.StatusFailed })
	if got := w.message(id); got.ErrorCode != "media_unavailable" || got.AwaitsMedia || tries.Load() == 0 {
		t.Errorf("%+v after %d tries", got, tries.Load())
	}
	if got := w.events(); !slices.Equal(got, []string{"message.failed"}) {
		t.Errorf("%v", got)
	}
}

// Files wait no longer than they may, also where a host that never ends an answer has all
// places that there are for it; what is behind them goes.
func TestFilesDoNotWaitForADeadHost(t *testing.T) {
	begun := make(chan string, 100)
	dead, _ := slowSites(t, "dead", 1, begun)
	w := newWorld(t, reaching(dead[0], func(c *cloud.Config) { c.FetchFor = 100 * time.Millisecond }))
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for i := range 2 {
		w.sendFile(fmt.Sprint("+1415555000", i), dead[0].URL+"/a.jpg")
	}
	for range 2 {
		<-begun
	}
	var waiting []string
	for i := range 10 {
		waiting = append(waiting, w.sendFile(fmt.Sprintf("+1415556%04d", i), dead[0].URL+"/a.jpg"))
	}
	behind := w.send("+14155560003")
	for _, id := range waiting {
		eventually(t, "a file is given up", func() bool { return w.message(id).Status == wire.StatusFailed })
		if got := w.message(id); got.ErrorCode != "media_unavailable" || got.AwaitsMedia {
			t.Errorf("%+v", got)
		}
	}
	if o := m.order(); o.Message != behind {
		t.Errorf("%+v", o)
	}
	if got := w.column("SELECT COUNT(*) FROM fetches"); len(begun) != 0 || got[0] != "2" {
		t.Errorf("%d more tries, %v files are still to be fetched", len(begun), got)
	}
}

// A message that is canceled while its file is on the way needs it no more.
func TestFileOfACanceledMessage(t *testing.T) {
	come := make(chan struct{})
	s := site(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/never" {
			<-come
		}
		rw.WriteHeader(http.StatusServiceUnavailable)
	})
	defer close(come)
	w := newWorld(t, reaching(s))
	id := w.sendFile(somebody, s.URL+"/never")
	if m, err := w.service.Cancel(t.Context(), w.who, id); err != nil || m.Status != wire.Canceled {
		t.Fatalf("%+v, %v", m, err)
	}
	eventually(t, "nothing is to be fetched", func() bool { return w.column("SELECT COUNT(*) FROM fetches")[0] == "0" })
	if got := w.message(id); got.Status != wire.Canceled || got.AwaitsMedia {
		t.Errorf("%+v", got)
	}
	// A stop does not wait for a server that says nothing.
	w.sendFile(somebody, s.URL+"/slow")
	w.restart()
	if got := w.column("SELECT tries FROM fetches"); !slices.Equal(got, []string{"0"}) {
		t.Errorf("%v", got)
	}
}

// One slow host has its places and no more.
func TestSlowHostStopsNobody(t *testing.T) {
	come := make(chan struct{})
	slow := site(t, func(rw http.ResponseWriter, r *http.Request) { <-come })
	defer close(come)
	quick := site(t, func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write(jpeg) })
	w := newWorld(t, reaching(slow, func(c *cloud.Config) { c.MediaRoots.AddCert(quick.Certificate()) }))
	m := w.connect(w.paired(w.line), hello("ins_a", 0))
	for i := range 40 {
		w.sendFile(fmt.Sprintf("+1415556%04d", i), slow.URL+"/x")
	}
	id := w.sendFile(somebody, quick.URL+"/x")
	if o := m.order(); o.Message != id {
		t.Errorf("%+v", o)
	}
}

// A message that is sent again takes the file that is here, whatever its URL says now.
func TestFileOfAMessageThatIsSentAgain(t *testing.T) {
	var asked atomic.Int32
	s := site(t, func(rw http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = rw.Write(jpeg)
	})
	w := newWorld(t, reaching(s))
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	id := w.sendFile(somebody, s.URL+"/cat.jpg")
	first := m.order()
	m.report(wire.Report{Kind: wire.NoSend, Message: id, Attempt: 1, Fault: &wire.Fault{Code: "no_such_target"}})
	again, err := w.service.Resend(t.Context(), w.who, id, cloud.Resending{})
	if err != nil || again.ResendOf != id || again.MediaURL != s.URL+"/cat.jpg" {
		t.Fatalf("%+v, %v", again, err)
	}
	o := m.order()
	if o.Message != again.ID || o.File.SHA256 != first.File.SHA256 || o.File.ID == first.File.ID || o.File.Name != "cat.jpg" {
		t.Errorf("%+v", o)
	}
	if _, data := w.download(secret, o.File.ID); !bytes.Equal(data, jpeg) || asked.Load() != 1 {
		t.Errorf("%d bytes, asked %d times", len(data), asked.Load())
	}
}

// A file that was on disk when the server was killed, before the database knew.
func TestFetchAfterACrashAtItsEnd(t *testing.T) {
	s := site(t, func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write(jpeg) })
	w := newWorld(t, reaching(s))
	secret := w.paired(w.line)
	id := w.sendFile(somebody, s.URL+"/cat.jpg")
	eventually(t, "the file is here", func() bool { return !w.message(id).AwaitsMedia })
	w.stop()
	w.sql("UPDATE messages SET awaits_media = 1")
	w.sql("UPDATE media SET state = 'pending', sha256 = '', size = 0")
	w.sql("INSERT INTO fetches SELECT id, account_id, message_id, '" + s.URL + "/cat.jpg', 'h', 1000000, 0, 0, 0, '' FROM media")
	if err := os.WriteFile(filepath.Join(w.folder(), w.column("SELECT id FROM media")[0]), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	m := w.connect(secret, hello("ins_a", 0))
	o := m.order()
	if _, data := w.download(secret, o.File.ID); !bytes.Equal(data, jpeg) {
		t.Errorf("%d bytes", len(data))
	}
}

// An order whose file is gone is still given, so that the relay ends it.
func TestOrderWithoutItsFile(t *testing.T) {
	s := site(t, func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write(jpeg) })
	w := newWorld(t, reaching(s))
	id := w.sendFile(somebody, s.URL+"/cat.jpg")
	eventually(t, "the file is here", func() bool { return !w.message(id).AwaitsMedia })
	w.sql("UPDATE media SET state = 'failed'")
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	o := m.order()
	if o.File == nil || o.Text != secretText {
		t.Fatalf("%+v", o)
	}
	if resp, _ := w.download(secret, o.File.ID); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d", resp.StatusCode)
	}
}

// slowSites are servers of which none answers a request before it gets a word. begun gets
// the name of each that has come.
func slowSites(t testing.TB, name string, n int, begun chan<- string) (sites []*httptest.Server, word chan struct{}) {
	word = make(chan struct{})
	for range n {
		sites = append(sites, site(t, func(rw http.ResponseWriter, r *http.Request) {
			begun <- name
			rw.Header().Set("Content-Type", "image/jpeg")
			_ = http.NewResponseController(rw).Flush() // for the header there is a shorter limit
			select {
			case <-word:
				_, _ = rw.Write(jpeg)
			case <-r.Context().Done():
			}
		}))
	}
	return sites, word
}

// sendFiles has an account send two files from each of some sites.
func (w *world) sendFiles(who cloud.Principal, from string, sites []*httptest.Server) {
	w.t.Helper()
	for i, s := range sites {
		for n := range 2 {
			to := fmt.Sprintf("+1415555%d%03d", 1+n, i)
			_, err := w.service.Send(w.t.Context(), who, cloud.Outgoing{From: from, To: to, Content: secretText, MediaURL: s.URL + "/a.jpg", MaxMedia: 1 << 20})
			if err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// An account with slow hosts has half of the places; whoever has none in hand comes first,
// however long the queues of the others are.
func TestFetchesAreShared(t *testing.T) {
	begun := make(chan string, 100)
	slowA, _ := slowSites(t, "a", 4, begun)
	slowB, wordB := slowSites(t, "b", 4, begun)
	quick := site(t, func(rw http.ResponseWriter, _ *http.Request) {
		begun <- "c"
		_, _ = rw.Write(jpeg)
	})
	w := newWorld(t, reaching(quick))
	b, c := w.account("team_b"), w.account("team_c")
	lineB, lineC := w.addLine(b, "+14155550001"), w.addLine(c, "+14155550002")
	start := func(want string) {
		t.Helper()
		select {
		case got := <-begun:
			if got != want {
				t.Fatalf("a file of %s is fetched, not of %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no file of %s is fetched", want)
		}
	}
	w.sendFiles(w.who, w.line.PhoneNumber, slowA)
	for range 4 {
		start("a")
	}
	if _, err := w.service.FetchFile(t.Context(), w.who, quick.URL+"/a.jpg", nil, nil); refusal(t, err).Code != cloud.Unavailable {
		t.Errorf("a fifth file: %v", err)
	}
	w.sendFiles(b, lineB.PhoneNumber, slowB)
	for range 4 {
		start("b")
	}
	w.sendFiles(c, lineC.PhoneNumber, []*httptest.Server{quick})
	wordB <- struct{}{}
	start("c")
	start("c")
	start("b")
	if len(begun) != 0 {
		t.Errorf("a file of %s more is fetched", <-begun)
	}
}
