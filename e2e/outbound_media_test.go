package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"image"
	"image/png"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bluerelay/simulator"
)

// pictures is a server of the customer's with one picture, and its own certificate that
// every program started from now on trusts.
func pictures(t *testing.T) (url string, data []byte) {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, 200, 200))
	for i := range picture.Pix {
		picture.Pix[i] = byte(rand.N(256))
	}
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(b.Bytes())
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
	return server.URL + "/cat.png", b.Bytes()
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// sendFile posts a message with a file.
func (w *world) sendFile(to, content, url string) message {
	w.t.Helper()
	status, body, err := w.call("POST", "/v1/messages/send", map[string]string{"to": to, "from": line, "content": content, "media_url": url})
	if err != nil || status != http.StatusAccepted {
		w.t.Fatalf("send: %d %s %v", status, body, err)
	}
	return decode[message](w.t, body)
}

// A picture with a text: fetched by the cloud, handed to the relay, laid where Messages
// reads it, sent as two messages in their order, and told of as one.
func TestOutboundPicture(t *testing.T) {
	url, data := pictures(t)
	w := newWorld(t, 25)
	w.startRelay()
	mac := filepath.Join(w.dir, "mac")

	sent := w.sendFile("+14155550101", "look", url)
	eventually(t, 30*time.Second, "the message", func() bool { return w.get(sent.ID).Status == "delivered" })
	effects, err := simulator.Effects(mac)
	if err != nil || len(effects) != 2 {
		t.Fatalf("%+v, %v", effects, err)
	}
	staged, err := filepath.Glob(filepath.Join(filepath.Dir(w.mac.ChatDB()), "Attachments", "bluerelay", "*", "cat.png"))
	if err != nil || len(staged) != 1 {
		t.Fatalf("staged are %q, %v", staged, err)
	}
	if got, err := os.ReadFile(staged[0]); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the file is another one than was given: %v", err)
	}
	if want := []string{hash(staged[0]), hash("look")}; effects[0].SHA256 != want[0] || effects[1].SHA256 != want[1] {
		t.Errorf("sent were %+v", effects)
	}

	// Not on iMessage: the file fails, and the text does not follow it.
	failed := w.sendFile("+15005550001", "look", url)
	eventually(t, 30*time.Second, "the failure", func() bool { return w.get(failed.ID).Status == "failed" })
	if effects, err = simulator.Effects(mac); err != nil || len(effects) != 3 {
		t.Errorf("%+v, %v", effects, err)
	}
}

// The relay is killed again and again while pictures go out: each of their two parts
// leaves the Mac once.
func TestKilledWhileSendingPictures(t *testing.T) {
	url, _ := pictures(t)
	w := newWorld(t, 25)
	w.startRelay()
	var open []string
	for _, to := range []string{"+14155550101", "+14155550102", "+14155550103", "+14155550104", "+14155550105", "+14155550106"} {
		open = append(open, w.sendFile(to, "look "+to, url).ID)
	}
	stop := time.After(6 * time.Second)
	for killing := true; killing; {
		select {
		case <-stop:
			killing = false
		case <-time.After(50*time.Millisecond + rand.N(400*time.Millisecond)):
			w.relay.kill()
			w.startRelay()
		}
	}
	for _, id := range open {
		// A kill between Messages and its answer leaves a row that is found; none of
		// them is in doubt for ever.
		eventually(t, 60*time.Second, "the message", func() bool { return w.get(id).Status == "delivered" })
	}
	effects, err := simulator.Effects(filepath.Join(w.dir, "mac"))
	if err != nil || len(effects) != 2*len(open) {
		t.Fatalf("%d effects, %v", len(effects), err)
	}
	once := make(map[string]bool)
	for _, e := range effects {
		if key := e.Recipient + e.SHA256; once[key] {
			t.Errorf("twice: %+v", e)
		} else {
			once[key] = true
		}
	}
}
