package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"bluerelay/launchd"
)

// TestEmbeddedInfoPlist holds the bytes in the binary against those that install writes into
// the bundle. info_darwin.go is read, not compiled: this test runs anywhere.
func TestEmbeddedInfoPlist(t *testing.T) {
	source, err := os.ReadFile("info_darwin.go")
	if err != nil {
		t.Fatal(err)
	}
	var embedded strings.Builder
	for line := range strings.Lines(string(source)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), ` \`)
		if !strings.HasPrefix(line, `"`) {
			continue
		}
		text, err := strconv.Unquote(strings.ReplaceAll(line, `" VERSION "`, "1.2.3"))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		embedded.WriteString(text)
	}
	if want := string(launchd.InfoPlist("v1.2.3")); embedded.String() != want {
		t.Errorf("info_darwin.go embeds:\n%s\nwant:\n%s", embedded.String(), want)
	}
}
