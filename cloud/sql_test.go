package cloud_test

import (
	"os"
	"testing"

	"bluerelay/cloud/store"
	"bluerelay/cloud/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m, store.Open)) }

// column reads one column of text beside the server.
func (w *world) column(query string) []string { w.t.Helper(); return storetest.Rows(w.t, w.dsn, query) }

// sql changes the database beside the server.
func (w *world) sql(query string) { w.t.Helper(); storetest.Exec(w.t, w.dsn, query) }
