package main

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"sync/atomic"
)

// files is where the pictures lie that messages are sent with: an https server whose
// certificate the cloud is told to trust.
type files struct {
	server *httptest.Server
	roots  string // the file with the certificate
	quiet  atomic.Bool
}

// filesize is several parts of what the relay takes at once.
const fileSize = 150 << 10

// What becomes of a request for a file, in per cent.
const (
	fileAway = 3 // the server has a problem
	fileCut  = 3 // the connection ends in the middle
)

func newFiles(roots string) (*files, error) {
	f := &files{roots: roots}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // clients are killed
	f.server.StartTLS()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
	return f, os.WriteFile(roots, certificate, 0o600)
}

func (f *files) close() { f.server.Close() }

// url is that of a file; its name is the message's own, so that Messages' log says
// which it was.
func (f *files) url(name string) string { return f.server.URL + "/" + name }

func (f *files) serve(w http.ResponseWriter, r *http.Request) {
	body := picture(path.Base(r.URL.Path), fileSize)
	w.Header().Set("Content-Type", "image/png")
	switch n := rand.IntN(100); {
	case f.quiet.Load():
	case n < fileAway:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case n < fileAway+fileCut:
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
	w.Write(body)
}

// picture is a file that begins like a PNG, which is all that its type is told by, and
// goes on as its name says.
func picture(name string, size int) []byte {
	body := append([]byte("\x89PNG\r\n\x1a\n"), name...)
	for len(body) < size {
		body = append(body, name...)
	}
	return body[:size]
}

// fileHash stands for a file in the place of a text's hash: where it is staged is the
// relay's own affair.
func fileHash(name string) string { return hashOf("file:" + name) }
