package cloud_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"bluerelay/cloud"
	"bluerelay/wire"
)

// A file of this server goes with a message without leaving the machine: one that was
// uploaded, or one that came in. Nothing else here can be reached by an address.
func TestFileOfThisServer(t *testing.T) {
	w := newWorld(t, nil)
	secret := w.paired(w.line)
	m := w.connect(secret, hello("ins_a", 0))
	f, err := w.service.StoreFile(t.Context(), w.who, "a holiday.jpg", "", bytes.NewReader(jpeg))
	if err != nil {
		t.Fatal(err)
	}
	id := w.sendFile(somebody, f.URL)
	o := m.order()
	if o.Message != id || o.File == nil || o.File.Name != "a_holiday.jpg" || o.File.MIME != "image/jpeg" || o.File.Size != int64(len(jpeg)) {
		t.Fatalf("%+v %+v", o, o.File)
	}
	if resp, data := w.download(secret, o.File.ID); resp.StatusCode != http.StatusOK || !bytes.Equal(data, jpeg) {
		t.Errorf("%d, %d bytes", resp.StatusCode, len(data))
	}
	m.report(wire.Report{Kind: wire.Sent, Message: id, Attempt: 1, GUID: "row"})
	m.announces("in", wire.Media{ID: "A1", Name: "one.jpg"})
	if status := w.put(newFile(secret, "in", "A1", jpeg), 0); status != http.StatusCreated {
		t.Fatal(status)
	}
	came := w.byGUID("in").MediaURL
	forwarded := w.sendFile("+14155550001", "https://blue.example"+came)
	if o := m.order(); o.Message != forwarded || o.File == nil || o.File.Size != int64(len(jpeg)) {
		t.Errorf("%+v", o)
	}
	other := w.account("team_b")
	line := w.addLine(other, "+14155550009")
	for name, c := range map[string]struct {
		who  cloud.Principal
		from string
		url  string
	}{
		"another account":  {other, line.PhoneNumber, f.URL},
		"another token":    {w.who, w.line.PhoneNumber, strings.Replace(f.URL, "/media/", "/media/a", 1)},
		"another name":     {w.who, w.line.PhoneNumber, f.URL + "x"},
		"no name":          {w.who, w.line.PhoneNumber, "https://blue.example/media/"},
		"a way out":        {w.who, w.line.PhoneNumber, "https://blue.example/media/../cloud.db"},
		"an escaped way":   {w.who, w.line.PhoneNumber, "https://blue.example/media/%2e%2e/cloud.db"},
		"a broken address": {w.who, w.line.PhoneNumber, "https://blue.example/media/a/%zz"},
		"the file itself":  {w.who, w.line.PhoneNumber, "https://blue.example/media/" + f.Media.ID + "/a_holiday.jpg"},
	} {
		_, err := w.service.Send(t.Context(), c.who, cloud.Outgoing{From: c.from, To: somebody, Content: secretText, MediaURL: c.url})
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if e := refusal(t, err); e.Code != cloud.InvalidRequest || e.Param != "media_url" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

// What a crash has left half done is swept away.
func TestUploadThatWasBegun(t *testing.T) {
	w := newWorld(t, nil)
	f, err := w.service.StoreFile(t.Context(), w.who, "a.jpg", "", bytes.NewReader(jpeg))
	if err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.sql("UPDATE uploads SET state = 'pending', expires_at = 1")
	w.start()
	eventually(t, "it goes", func() bool { return len(w.column("SELECT id FROM uploads")) == 0 })
	if slices.Contains(w.files(), f.Media.ID) {
		t.Error("its bytes are still there")
	}
	if resp, _ := w.visit(f.URL); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d", resp.StatusCode)
	}
}
