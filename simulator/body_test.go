package simulator

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// TextOfBody reads the string of an attributedBody as this package writes it;
// it is no decoder of the format.
func TextOfBody(blob []byte) (string, error) {
	_, rest, ok := bytes.Cut(blob, []byte("\x84\x01+"))
	if !ok {
		return "", errors.New("no string in body")
	}
	n, rest, err := streamInt(rest)
	if err != nil {
		return "", err
	}
	if n < 0 || n > len(rest) {
		return "", fmt.Errorf("string of %d bytes in a body with %d left", n, len(rest))
	}
	return string(rest[:n]), nil
}

func streamInt(b []byte) (int, []byte, error) {
	switch {
	case len(b) > 2 && b[0] == headInt16:
		return int(int16(binary.LittleEndian.Uint16(b[1:]))), b[3:], nil
	case len(b) > 4 && b[0] == headInt32:
		return int(int32(binary.LittleEndian.Uint32(b[1:]))), b[5:], nil
	case len(b) > 0 && (b[0] < headInt16 || b[0] >= 0x92):
		return int(int8(b[0])), b[1:], nil
	}
	return 0, nil, errors.New("no number where one is due")
}

// The worked example of the format's description, byte for byte.
func TestBodyOfOrdinaryMessage(t *testing.T) {
	want := "\x04\x0bstreamtyped\x81\xe8\x03" +
		"\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85" +
		"\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+\x06Test 3\x86" +
		"\x84\x02iI\x01\x06\x92\x84\x84\x84\x0cNSDictionary\x00\x94\x84\x01i\x02" +
		"\x92\x84\x96\x96\x26__kIMBaseWritingDirectionAttributeName\x86" +
		"\x92\x84\x84\x84\x08NSNumber\x00\x84\x84\x07NSValue\x00\x94\x84\x01*\x84\x84\x01q\x9d\xff\x86" +
		"\x92\x84\x96\x96\x1d__kIMMessagePartAttributeName\x86" +
		"\x92\x84\x9b\x9c\x9d\x9d\x00\x86\x86\x86"
	if got := messageBody("Test 3", "", false); string(got) != want {
		t.Errorf("body is\n%q, want\n%q", got, want)
	}
}

// A mutable root brings two more classes, so every later reference moves.
func TestBodyOfOwnMessage(t *testing.T) {
	got := messageBody("Hi", "", true)
	want := "\x84\x01@\x84\x84\x84\x19NSMutableAttributedString\x00\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85" +
		"\x92\x84\x84\x84\x0fNSMutableString\x01\x84\x84\x08NSString\x01\x95\x84\x01+\x02Hi\x86" +
		"\x84\x02iI\x01\x02\x92\x84\x84\x84\x0cNSDictionary\x00\x95\x84\x01i\x02" +
		"\x92\x84\x98\x98\x26__kIM"
	if !bytes.Contains(got, []byte(want)) {
		t.Errorf("body is\n%q, want it to hold\n%q", got, want)
	}
}

func TestBodyWithAttachment(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string
		transfers        int
	}{
		{"file alone", "", "\uFFFC", 1},
		{"file and text", "caption", "\uFFFCcaption", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := messageBody(tt.text, "at_0_X", true)
			if got, err := TextOfBody(body); err != nil || got != tt.want {
				t.Errorf("text %q, %v, want %q", got, err, tt.want)
			}
			if n := bytes.Count(body, []byte("\x06at_0_X")); n != tt.transfers {
				t.Errorf("transfer guid %d times, want %d", n, tt.transfers)
			}
		})
	}
}

// Blobs on which several independent decoders agree, written again from what
// the manifest says of them.
func TestBodyAgainstSharedBlobs(t *testing.T) {
	dir := filepath.Join("..", "..", "shared", "testdata", "typedstream")
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("the shared test data is not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Files []struct {
			File string          `json:"file"`
			Text *string         `json:"expected_text"`
			Runs json.RawMessage `json:"runs"`
		} `json:"files"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range manifest.Files {
		name, ok := strings.CutPrefix(f.File, "made/")
		if !ok {
			continue
		}
		seen++
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join(dir, f.File))
			if err != nil {
				t.Fatal(err)
			}
			var length int
			text := ""
			if f.Text != nil {
				text = *f.Text
			} else if _, err := fmt.Sscanf(name, "ascii-len-%d", &length); err == nil {
				text = strings.Repeat("abcdefghij", length/10+1)[:length]
			}
			runs, err := madeRuns(text, f.Runs)
			if err != nil {
				t.Fatal(err)
			}
			if got := encodeBody(runs, false); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, want %d; they differ at %d", len(got), len(want), firstDifference(got, want))
			}
		})
	}
	if seen < 36 {
		t.Errorf("%d blobs, want all 36", seen)
	}
}

// madeRuns gives the runs of the manifest in the recipe's order of
// attributes. The one entry that describes its runs in words has an emoji at
// the end of each part.
func madeRuns(text string, raw json.RawMessage) ([]bodyRun, error) {
	units := utf16.Encode([]rune(text))
	var list []struct {
		Loc, Len int
		Attrs    struct {
			Part     int64  `json:"__kIMMessagePartAttributeName"`
			Transfer string `json:"__kIMFileTransferGUIDAttributeName"`
		}
	}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
		return numberedParts(text, 40)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	var runs []bodyRun
	for _, r := range list {
		attrs := []bodyAttr{{name: attrPart, number: r.Attrs.Part}}
		if r.Attrs.Transfer != "" {
			attrs = append(attrs, bodyAttr{name: attrTransfer, text: r.Attrs.Transfer})
		}
		runs = append(runs, bodyRun{string(utf16.Decode(units[r.Loc : r.Loc+r.Len])), attrs})
	}
	return runs, nil
}

// numberedParts cuts a text after each emoji into its parts.
func numberedParts(text string, parts int) ([]bodyRun, error) {
	pieces := strings.SplitAfter(text, "😀")
	if len(pieces) != parts+1 || pieces[parts] != "" {
		return nil, fmt.Errorf("%d pieces are not %d parts", len(pieces), parts)
	}
	var runs []bodyRun
	for part, piece := range pieces[:parts] {
		runs = append(runs, bodyRun{piece, []bodyAttr{{name: attrPart, number: int64(part)}}})
	}
	return runs, nil
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestBodyLengths(t *testing.T) {
	lengths := []int{128, 8191, 8192, 32767, 32768, 65535, 65536, 100000}
	for n := range 128 {
		lengths = append(lengths, n)
	}
	for _, n := range lengths {
		checkBody(t, strings.Repeat("x", n))
	}
}

// FuzzBody writes texts of any content and length, and reads them back.
func FuzzBody(f *testing.F) {
	for _, n := range []int{1, 127, 128, 8192, 32768, 65536, 100000} {
		f.Add("é", n)
		f.Add("a\n", n)
	}
	f.Add("👨‍👩‍👧", 300)
	f.Add("\x84\x01+\x86", 5)
	f.Add("\xff\x00", 3)
	f.Fuzz(func(t *testing.T, text string, length int) {
		if text == "" || length < 0 || length > 200000 {
			t.Skip()
		}
		checkBody(t, strings.Repeat(text, length/len(text)+1)[:length])
	})
}

func checkBody(t *testing.T, text string) {
	t.Helper()
	want := strings.ToValidUTF8(text, "\uFFFD")
	body := messageBody(text, "", true)
	got, err := TextOfBody(body)
	if err != nil || got != want {
		t.Fatalf("text of %d bytes came back as %d bytes, %v", len(want), len(got), err)
	}
	if !utf8.ValidString(got) {
		t.Fatal("text is no UTF-8")
	}
	if text == "" {
		return
	}
	// The first run comes right after the string's end.
	after := body[bytes.Index(body, []byte("\x84\x01+")):]
	_, runs, ok := bytes.Cut(after[len(want):], []byte("\x86\x84\x02iI\x01"))
	if !ok {
		t.Fatal("no run in body")
	}
	units, _, err := streamInt(runs)
	if err != nil || units != len(utf16.Encode([]rune(want))) {
		t.Fatalf("run of %d units, %v, want %d", units, err, len(utf16.Encode([]rune(want))))
	}
}
