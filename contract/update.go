package contract

import (
	"flag"
	"os"
	"testing"
)

// update is the flag of every test binary that holds an API to its document.
var update = flag.Bool("update-document", false, "write openapi.json anew from openapi.yaml")

// UpToDate fails unless openapi.json, which is served, says what openapi.yaml says. Both
// are in the folder of the test. With -update-document it writes the JSON.
func UpToDate(t testing.TB, served []byte) {
	t.Helper()
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, err := JSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(served) != string(want) {
		t.Error("openapi.json is not what openapi.yaml says: run make openapi")
	}
}
