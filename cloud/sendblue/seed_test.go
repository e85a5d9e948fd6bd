package sendblue_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"bluerelay/wire"
)

// seedPage is the page whose examples must work with only host, keys and the id of a
// message changed.
const seedPage = "../../../shared/seeds/004_515e3ed906f8bc9a.txt"

// examples are the page's curl lines and the answers that it prints.
func examples(t *testing.T) (curl []string, answers []string) {
	t.Helper()
	data, err := os.ReadFile(seedPage)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("the API page is not on this machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); i++ {
		switch {
		case strings.HasPrefix(lines[i], "curl "):
			from := i
			for strings.HasSuffix(lines[i], `\`) {
				i++
			}
			curl = append(curl, strings.Join(lines[from:i+1], "\n"))
		case lines[i] == "{":
			var value json.RawMessage
			if err := json.NewDecoder(strings.NewReader(strings.Join(lines[i:], "\n"))).Decode(&value); err == nil {
				answers = append(answers, string(value))
				i += strings.Count(string(value), "\n")
			}
		}
	}
	if len(curl) != 3 || len(answers) != 2 {
		t.Fatalf("found %d curl lines and %d answers", len(curl), len(answers))
	}
	return curl, answers
}

func TestSeedPage(t *testing.T) {
	curl, answers := examples(t)
	w := newWorld(t, nil)
	mac := w.connect(w.paired(w.line), "a")
	m := w.send(somebody, "")
	order := mac.order()
	mac.report(wire.Report{Kind: wire.Delivered, Message: order.Message, Attempt: order.Attempt, GUID: "5A17", Service: "iMessage"})
	adapt := strings.NewReplacer("https://api.sendblue.co", w.server.URL, "YOUR_API_KEY", w.pair.id, "YOUR_API_SECRET", w.pair.secret,
		"5a17319e-cbcf-443e-897e-d8b0c04b1b09", m.Handle)
	var got []map[string]any
	for _, example := range curl {
		out, err := exec.Command("sh", "-c", adapt.Replace(example)).Output()
		var answer map[string]any
		if err != nil || json.Unmarshal(out, &answer) != nil {
			t.Fatalf("%s\n%v %s", example, err, out)
		}
		got = append(got, answer)
	}
	var list, deleted map[string]any
	for i, into := range []*map[string]any{&list, &deleted} {
		if err := json.Unmarshal([]byte(answers[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(got[2], deleted) {
		t.Errorf("got  %v\nwant %v", got[2], deleted)
	}
	item := list["data"].([]any)[0].(map[string]any)
	mine := got[0]["data"].([]any)[0].(map[string]any)
	if got[0]["status"] != list["status"] || !reflect.DeepEqual(got[1]["data"], got[0]["data"].([]any)[0]) || got[1]["status"] != "OK" {
		t.Errorf("%v\n%v", got[0], got[1])
	}
	for key, want := range item {
		have, there := mine[key]
		switch key {
		case "message_handle", "accountEmail", "date_sent", "date_updated": // of this server
			if text, ok := have.(string); !ok || text == "" || strings.HasPrefix(key, "date_") && len(text) != len("2025-01-15T10:30:00.000Z") {
				t.Errorf("%s is %v", key, have)
			}
		default:
			if !there || have != want {
				t.Errorf("%s is %v, not %v", key, have, want)
			}
		}
	}
	for key, want := range list["pagination"].(map[string]any) {
		have := got[0]["pagination"].(map[string]any)[key]
		if key == "limit" {
			want = 50.0 // what its own request asks for
		}
		if have != want {
			t.Errorf("%s is %v, not %v", key, have, want)
		}
	}
}
