package cloud_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"bluerelay/cloud"
)

// nasty are strings in which encoders of JSON differ.
func nasty() []string {
	list := []string{
		"", " ", `"`, `\`, `\\`, `\"`, "/", "</script>", "<&>", "'", "\b\f\n\r\t", "\x00\x01\x1f", "\x7f", "é", "\u0080\u009f", "\u00a0", "\ufeff",
		"\u2028", "\u2029", "a\u2028b\u2029c", `\u2028`, `\\u2028`, `\` + "\u2028", `\\` + "\u2029" + `\`, `\u003c`, "\u2027\u202a", "\ufffd", "\ufffe\uffff",
		"😀", "👩‍👩‍👧‍👦", "🇩🇪", "\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0010ffff", "e\u0301", "\u202eabc", "\u200b\u200d", "名前", "שלום", "ﷺ",
	}
	var all strings.Builder
	for r := range rune(0x3000) {
		all.WriteRune(r)
	}
	for r := rune(0x3000); r <= utf8.MaxRune; r += 61 {
		if utf8.ValidRune(r) {
			all.WriteRune(r)
		}
	}
	return append(list, all.String())
}

// node finds Node.js, which must be there where the checks decide.
func node(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("node is needed: it is the measure of what receivers of webhooks see")
	}
	if err != nil {
		t.Skip("there is no node on this machine to compare with")
	}
	return program
}

func TestJSONIsWhatJavaScriptWrites(t *testing.T) {
	var in bytes.Buffer
	for _, s := range nasty() {
		in.WriteString(hex.EncodeToString([]byte(s)) + "\n")
	}
	const script = `for (const line of require('fs').readFileSync(0, 'latin1').split('\n').slice(0, -1)) console.log(JSON.stringify({s: Buffer.from(line, 'hex').toString('utf8'), n: null, t: true, i: 42, a: []}))`
	cmd := exec.CommandContext(t.Context(), node(t), "-e", script)
	cmd.Stdin = &in
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	for i, s := range nasty() {
		ours, err := cloud.JSON(struct {
			S string   `json:"s"`
			N *int     `json:"n"`
			T bool     `json:"t"`
			I int      `json:"i"`
			A []string `json:"a"`
		}{S: s, T: true, I: 42, A: []string{}})
		if err != nil || string(ours) != theirs[i] {
			t.Errorf("%.40q\n%.200s\n%.200s\n%v", s, ours, theirs[i], err)
		}
	}
}

// The same without a JavaScript engine, for the characters that matter.
func TestJSONEscapes(t *testing.T) {
	for s, want := range map[string]string{
		"<&>": `"<&>"`, "a\u2028\u2029b": "\"a\u2028\u2029b\"", `\u2028`: `"\\u2028"`, `\` + "\u2028": "\"\\\\\u2028\"", "\b\f\n\r\t": `"\b\f\n\r\t"`,
		"\x00\x1f\x7f": "\"\\u0000\\u001f\x7f\"", `"/\`: `"\"/\\"`, "😀é": `"😀é"`,
	} {
		if got, err := cloud.JSON(s); err != nil || string(got) != want {
			t.Errorf("%q became %s, want %s, %v", s, got, want, err)
		}
	}
	if got, err := cloud.JSON(map[string]any{"a": nil}); err != nil || string(got) != `{"a":null}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := cloud.JSON(make(chan int)); err == nil {
		t.Error("a channel was encoded")
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range nasty()[:40] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := cloud.JSON(s)
		if err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatalf("%q became %s: %v", s, data, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && back != want {
			t.Fatalf("%q came back as %q", s, back)
		}
		for _, never := range []string{"\n", `\u003c`, `\u003e`, `\u0026`} {
			if strings.Contains(string(data), never) && !strings.Contains(s, never) {
				t.Fatalf("%q became %s", s, data)
			}
		}
	})
}
