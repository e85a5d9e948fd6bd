package chatdb_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"bluerelay/chatdb"
)

type sample struct {
	File       string          `json:"file"`
	Decodable  bool            `json:"decodable"`
	Length     int             `json:"utf16_length"`
	Text       string          `json:"expected_text"`
	TextSHA256 string          `json:"expected_text_sha256"`
	Runs       json.RawMessage `json:"runs"`
}

type sampleRun struct {
	Loc   int            `json:"loc"`
	Len   int            `json:"len"`
	Attrs map[string]any `json:"attrs"`
}

func samples(t testing.TB, dir string) []sample {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Files []sample `json:"files"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m.Files
}

// shared is the folder of test data beside the project. Without it a test
// skips, but not where the checks run.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "testdata", name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("shared test data: %v", err)
		}
		t.Skipf("shared test data: %v", err)
	}
	return dir
}

func TestCase03_Samples(t *testing.T) {
	testSamples(t, filepath.Join("testdata", "typedstream"))
}

func TestDecodeBodySharedSamples(t *testing.T) {
	testSamples(t, shared(t, "typedstream"))
}

func testSamples(t *testing.T, dir string) {
	for _, s := range samples(t, dir) {
		t.Run(s.File, func(t *testing.T) {
			blob, err := os.ReadFile(filepath.Join(dir, s.File))
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			body, err := chatdb.DecodeBody(blob)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			checkBody(t, body, err)
			if !s.Decodable {
				if err == nil {
					t.Fatalf("decoded %q, want an error", body.Text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			compareSample(t, s, body)
		})
	}
}

func compareSample(t *testing.T, s sample, body chatdb.Body) {
	t.Helper()
	if s.TextSHA256 != "" {
		if sum := sha256.Sum256([]byte(body.Text)); hex.EncodeToString(sum[:]) != s.TextSHA256 {
			t.Errorf("text of %d bytes differs", len(body.Text))
		}
	} else if body.Text != s.Text {
		t.Errorf("text %q, want %q", body.Text, s.Text)
	}
	if got := len(utf16.Encode([]rune(body.Text))); got != s.Length {
		t.Errorf("%d units, want %d", got, s.Length)
	}
	var runs []sampleRun
	if json.Unmarshal(s.Runs, &runs) != nil {
		// The manifest describes the long one in words: one run for each part.
		if len(body.Runs) != 40 {
			t.Errorf("%d runs, want 40", len(body.Runs))
		}
		for i, r := range body.Runs {
			if r.Part != i {
				t.Errorf("run %d has part %d", i, r.Part)
			}
		}
		return
	}
	if len(runs) != len(body.Runs) {
		t.Fatalf("%d runs, want %d", len(body.Runs), len(runs))
	}
	for i, want := range runs {
		got := body.Runs[i]
		if got.Start != want.Loc || got.Length != want.Len {
			t.Errorf("run %d: %d+%d, want %d+%d", i, got.Start, got.Length, want.Loc, want.Len)
		}
		if got, want := toJSON(t, attrsOf(got)), toJSON(t, want.Attrs); got != want {
			t.Errorf("run %d: %s, want %s", i, got, want)
		}
	}
}

// attrsOf writes a run's attributes as the manifest does.
func attrsOf(r chatdb.Run) map[string]any {
	attrs := make(map[string]any)
	if r.Part >= 0 {
		attrs["__kIMMessagePartAttributeName"] = r.Part
	}
	if r.Direction != chatdb.DirectionUnset {
		attrs["__kIMBaseWritingDirectionAttributeName"] = int(r.Direction) - int(chatdb.DirectionNatural) - 1
	}
	if r.Attachment != "" {
		attrs["__kIMFileTransferGUIDAttributeName"] = r.Attachment
	}
	for _, a := range r.Attrs {
		attrs[a.Name] = plain(a.Value)
	}
	return attrs
}

func plain(v chatdb.Value) any {
	switch v.Kind {
	case chatdb.ValueText, chatdb.ValueURL:
		return v.Text
	case chatdb.ValueInt:
		return v.Int
	case chatdb.ValueFloat:
		return v.Float
	case chatdb.ValueBytes:
		return map[string]any{"NSData": len(v.Bytes)}
	case chatdb.ValueMap:
		m := make(map[string]any)
		for _, a := range v.Map {
			m[a.Name] = plain(a.Value)
		}
		return m
	case chatdb.ValueList:
		list := make([]any, len(v.List))
		for i := range v.List {
			list[i] = plain(v.List[i])
		}
		return list
	}
	return nil
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkBody holds what is true of every body, readable or not.
func checkBody(t testing.TB, body chatdb.Body, err error) {
	t.Helper()
	if !utf8.ValidString(body.Text) {
		t.Errorf("text %q is not UTF-8", body.Text)
	}
	units, at := len(utf16.Encode([]rune(body.Text))), 0
	for i, r := range body.Runs {
		if r.Start != at || r.Length <= 0 {
			t.Errorf("run %d is %d+%d, want it at %d", i, r.Start, r.Length, at)
		}
		at += r.Length
		if !utf8.ValidString(r.Attachment) {
			t.Errorf("run %d names attachment %q", i, r.Attachment)
		}
	}
	if at > units || err == nil && at != units {
		t.Errorf("runs cover %d of %d units (%v)", at, units, err)
	}
}

func TestDecodeBodyAttributes(t *testing.T) {
	url := tsObject([]string{"NSURL", "NSObject"}, tsGroup("c", []byte{0}), tsGroup("@", tsString("https://example.com/")))
	data := tsObject([]string{"NSData", "NSObject"}, tsGroup("i", tsInt(3)), tsGroup("[3c]", []byte{0x86, 0x84, 0x00}))
	half := tsObject([]string{"NSNumber", "NSValue", "NSObject"}, tsGroup("*", []byte{0x84}, tsShared("d")),
		tsGroup("d", []byte("\x83\x00\x00\x00\x00\x00\x00\xe0\x3f")))
	date := tsObject([]string{"NSDate", "NSObject"}, tsGroup("d", tsInt(86)))
	list := tsObject([]string{"NSMutableArray", "NSArray", "NSObject"}, tsGroup("i", tsInt(2)), tsGroup("@", tsNumber(-7)), tsGroup("@", []byte{0x85}))
	span := tsObject([]string{"NSValue", "NSObject"}, tsGroup("*", []byte{0x84}, tsShared("{_NSRange=QQ}")), tsGroup("{_NSRange=QQ}", tsInt(1), tsInt(300)))
	odd := tsObject([]string{"IMStrange", "NSObject"}, tsGroup("{a=c[2i]{b=}f}", []byte{0x91}, tsInt(1), tsInt(2), tsInt(3)), tsGroup("#", []byte{0x85}), tsGroup(":", tsShared("sel:")))
	number := func(kind string, value ...byte) []byte {
		return tsObject([]string{"NSNumber", "NSValue", "NSObject"}, tsGroup("*", []byte{0x84}, tsShared(kind)), tsGroup(kind, value))
	}
	// Classes as values: one in full, and none.
	classy := tsObject([]string{"IMClassy", "NSObject"}, tsGroup("#", []byte{0x84}, tsShared("IMOther"), []byte{0, 0x84}, tsShared("NSObject"), []byte{0, 0x85}), tsGroup("#", []byte{0x85}), tsGroup("@", tsString("behind it")))
	blob := attributed("hi", run{2, part(4,
		tsString("char"), number("c", 0xff), tsString("byte"), number("C", 0xff), tsString("quarter"), number("f", 0x83, 0, 0, 0x80, 0x3e),
		tsString("long"), number("q", 0x87, 0, 0, 0, 0, 0, 0, 0, 0x80), tsString("short"), number("s", 0x81, 0x9d, 0xff), tsString("classy"), classy,
		tsString("none"), tsObject([]string{"NSString", "NSObject"}, tsGroup("+", []byte{0x85})),
		tsString("no selector"), tsObject([]string{"IMNone", "NSObject"}, tsGroup(":", []byte{0x85}), tsGroup("*", []byte{0x85})),
		tsString("url"), url, tsString("data"), data, tsString("half"), half, tsString("date"), date, tsString("list"), list,
		tsString("range"), span, tsString("odd"), odd,
		tsString("__kIMOneTimeCodeAttributeName"), tsMap(tsString("code"), tsString("123456")),
		tsString("__kIMBaseWritingDirectionAttributeName"), tsNumber(1))})
	body, err := chatdb.DecodeBody(blob)
	if err != nil {
		t.Fatal(err)
	}
	if len(body.Runs) != 1 || body.Runs[0].Part != 4 || body.Runs[0].Direction != chatdb.RightToLeft {
		t.Fatalf("runs %+v", body.Runs)
	}
	attr := func(name string) chatdb.Value {
		v, ok := body.Runs[0].Attr(name)
		if !ok {
			t.Errorf("no attribute %s", name)
		}
		return v
	}
	if v := attr("url"); v.Kind != chatdb.ValueURL || v.Text != "https://example.com/" {
		t.Errorf("url %+v", v)
	}
	if v := attr("data"); v.Kind != chatdb.ValueBytes || string(v.Bytes) != "\x86\x84\x00" {
		t.Errorf("data %+v", v)
	}
	if v := attr("half"); v.Kind != chatdb.ValueFloat || v.Float != 0.5 {
		t.Errorf("half %+v", v)
	}
	for name, want := range map[string]int64{"char": -1, "byte": 255, "long": -1 << 63, "short": -99} {
		if v := attr(name); v.Kind != chatdb.ValueInt || v.Int != want {
			t.Errorf("%s %+v", name, v)
		}
	}
	if v := attr("quarter"); v.Kind != chatdb.ValueFloat || v.Float != 0.25 {
		t.Errorf("quarter %+v", v)
	}
	if v := attr("none"); v.Kind != chatdb.ValueText || v.Text != "" {
		t.Errorf("none %+v", v)
	}
	if v := attr("no selector"); v.Kind != chatdb.ValueOther || v.Text != "IMNone" {
		t.Errorf("no selector %+v", v)
	}
	if v := attr("classy"); v.Kind != chatdb.ValueOther || v.Text != "IMClassy" {
		t.Errorf("classy %+v", v)
	}
	if v := attr("date"); v.Kind != chatdb.ValueDate || !v.Date.Equal(time.Date(2001, 1, 1, 0, 1, 26, 0, time.UTC)) {
		t.Errorf("date %+v", v)
	}
	if v := attr("list"); v.Kind != chatdb.ValueList || len(v.List) != 2 || v.List[0].Int != -7 || v.List[1].Kind != chatdb.ValueNil {
		t.Errorf("list %+v", v)
	}
	if v := attr("range"); v.Kind != chatdb.ValueOther || v.Text != "NSValue" {
		t.Errorf("range %+v", v)
	}
	if v := attr("odd"); v.Kind != chatdb.ValueOther || v.Text != "IMStrange" {
		t.Errorf("odd %+v", v)
	}
	if v := attr(chatdb.AttrOneTimeCode); len(v.Map) != 1 || v.Map[0].Name != "code" || v.Map[0].Value.Text != "123456" {
		t.Errorf("code %+v", v)
	}
}

func TestDecodeBodyForms(t *testing.T) {
	long := strings.Repeat("x", 40000)
	// The 16-bit form of a length above 32767 counts as unsigned.
	short := append([]byte{0x81, 0x40, 0x9c}, long...)
	str := tsObject([]string{"NSString", "NSObject"}, append(tsShared("+"), short...))
	unsigned := archived(tsObject([]string{"NSAttributedString", "NSObject"}, tsGroup("@", str),
		tsGroup("iI", tsInt(1), []byte{0x81, 0x40, 0x9c}), tsGroup("@", part(0))))
	big := []byte("\x04\x0btypedstream\x81\x03\xe8\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85\x92" +
		"\x84\x84\x84\x08NSString\x01\x94\x84\x01+\x81\x00\x02hi\x86\x84\x02iI\x01\x81\x00\x02\x92\x84\x84\x84\x0cNSDictionary\x00\x94\x84\x01i\x00\x86\x86")
	int64Form := strings.Replace(string(plainBody("hello")), "+\x05hello", "+\x87\x05\x00\x00\x00\x00\x00\x00\x00hello", 1)
	for _, tt := range []struct {
		name, blob, want string
	}{
		{"unsigned 16-bit length", string(unsigned), long},
		{"big-endian", string(big), "hi"},
		{"64-bit length", int64Form, "hello"},
		{"UTF-16 characters", string(attributed("\xff\xfeh\x00\x3d\xd8\x00\xde", run{3, part(0)})), "h😀"},
		{"UTF-16 big-endian characters", string(attributed("\xfe\xff\x00h\x00i", run{2, part(0)})), "hi"},
		{"UTF-16 body", "\xff\xfeh\x00i\x00", "hi"},
		{"invalid UTF-8", string(attributed("a\xffb", run{3, part(0)})), "a\uFFFDb"},
		{"invalid UTF-8 counted otherwise", string(attributed("a\xff\xfe\xfdb", run{2, part(0)})), "a\uFFFDb"},
		{"dictionary again", string(attributed("abc", run{1, part(0)}, run{1, nil}, run{1, part(1)})), "abc"},
		{"empty run", string(attributed("ab", run{0, part(0)}, run{2, part(1)})), "ab"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body, err := chatdb.DecodeBody([]byte(tt.blob))
			if err != nil {
				t.Fatal(err)
			}
			if body.Text != tt.want {
				t.Errorf("text %.40q, want %.40q", body.Text, tt.want)
			}
			checkBody(t, body, err)
		})
	}
}

func TestDecodeBodySalvages(t *testing.T) {
	whole := plainBody("hello")
	cut := whole[:len(whole)-40]
	body, err := chatdb.DecodeBody(cut)
	if err == nil || body.Text != "hello" {
		t.Errorf("got %q, %v; want the text and an error", body.Text, err)
	}
	body, err = chatdb.DecodeBody(attributed("hello", run{9, part(2)}))
	if err == nil || body.Text != "hello" || len(body.Runs) != 1 || body.Runs[0].Length != 5 || body.Runs[0].Part != 2 {
		t.Errorf("got %+v, %v; want the run cut to the text", body, err)
	}
}

// A handful of references may stand for any number of values.
func TestDecodeBodyUnfolds(t *testing.T) {
	list := func(children ...[]byte) []byte {
		groups := [][]byte{tsGroup("i", tsInt(len(children)))}
		for _, c := range children {
			groups = append(groups, tsGroup("@", c))
		}
		return tsObject([]string{"NSArray", "NSObject"}, groups...)
	}
	// Each of the 30 lists holds the list before it twice: in full, and by the
	// number of its object. The outermost is object 13, and each list with its
	// two classes takes three numbers.
	const base = 13
	nested := list(tsNumber(1))
	for i := range 30 {
		inner := base + 3*(30-i)
		nested = list(nested, tsReference(inner))
	}
	blob := attributed("x", run{1, tsMap(tsString("bomb"), nested)})
	var body chatdb.Body
	var err error
	grown := allocated(func() { body, err = chatdb.DecodeBody(blob) })
	if err == nil {
		t.Error("want an error")
	}
	if body.Text != "x" {
		t.Errorf("text %q, want it saved", body.Text)
	}
	if grown > 32<<20 {
		t.Errorf("allocated %d bytes", grown)
	}
}

// allocated are the bytes that fn allocates, whether they are kept or not.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// sharing are bodies in which many objects have one stretch of size bytes between them:
// as the name of their class, as a shared string. By number, the object 16 is the first
// child of a list, 17 its class, 19 its C string; 10 and 13 are the first dictionary's
// key and value.
func sharing(size, times int) map[string][]byte {
	long := strings.Repeat("n", size)
	list := func(times int, first, again []byte) []byte {
		groups := [][]byte{tsGroup("i", tsInt(times)), tsGroup("@", first)}
		for range times - 1 {
			groups = append(groups, tsGroup("@", again))
		}
		return attributed("x", run{1, tsMap(tsString("list"), tsObject([]string{"NSArray", "NSObject"}, groups...))})
	}
	worded := func(class string) []byte {
		first := tsObject([]string{class, "NSObject"}, tsGroup("*", []byte{0x84}, tsShared(long)))
		return list(times, first, slices.Concat([]byte{0x84}, tsReference(17), tsGroup("*", tsReference(19)), []byte{0x86}))
	}
	file := func(key, value []byte) run { return run{1, tsMap(key, value)} }
	files := []run{file(tsString("__kIMFileTransferGUIDAttributeName"), tsString(long[:min(size, 256)]))}
	for range times - 1 {
		files = append(files, file(tsReference(10), tsReference(13)))
	}
	return map[string][]byte{
		"class":   list(times, tsObject([]string{long, "NSObject"}), slices.Concat([]byte{0x84}, tsReference(17), []byte{0x86})),
		"words":   worded("NSString"),
		"data":    worded("NSData"),
		"nothing": list(16*times, []byte{0x85}, []byte{0x85}),
		"files":   attributed(strings.Repeat("x", times), files...),
	}
}

// However often objects name the same bytes, they are not copied so often.
func TestDecodeBodyShares(t *testing.T) {
	for name, blob := range sharing(1<<20, 20_000) {
		var body chatdb.Body
		var err error
		grown := allocated(func() { body, err = chatdb.DecodeBody(blob) })
		if limit := uint64(64<<20 + 32*len(blob)); grown > limit {
			t.Errorf("%s: allocated %d bytes for %d", name, grown, len(blob))
		}
		if err == nil && name != "files" || !strings.HasPrefix(body.Text, "x") || len(body.Runs) == 0 {
			t.Errorf("%s: %d bytes of text in %d runs, %v", name, len(body.Text), len(body.Runs), err)
		}
		history := summaryOf(t, map[string]any{"ec": map[string]any{"0": []any{map[string]any{"t": blob, "d": 700.0}}}})
		var edits []chatdb.Edit
		grown = allocated(func() { edits, _, err = chatdb.ParseSummary(history) })
		if limit := uint64(64<<20 + 32*len(blob)); grown > limit || err != nil || len(edits) != 1 || edits[0].Text != body.Text {
			t.Errorf("%s: allocated %d bytes for a history of %d, %v", name, grown, len(history), err)
		}
	}
	// In the measure of a real body nothing is refused.
	for name, blob := range sharing(36, 8) {
		if body, err := chatdb.DecodeBody(blob); err != nil || len(body.Runs) == 0 {
			t.Errorf("%s of a few: %v", name, err)
		}
	}
}

func tsReference(i int) []byte {
	if i < 110 {
		return []byte{byte(i - 110)}
	}
	return tsInt(i - 110)
}

// A reference is one byte up to number 237, of which those from 110 on look like small
// integers, and three from there: to objects, to classes and to encodings alike.
func TestDecodeBodyReferences(t *testing.T) {
	const children = 200
	// Each child of the list is written in full, with three objects (itself, NSString,
	// NSObject) and four shared strings ("@", the two names, "+").
	object := func(child int) int { return 16 + 3*child }
	encoding := func(child int) int { return 21 + 4*child }
	groups := [][]byte{tsGroup("i", tsInt(children))}
	for i := range children {
		groups = append(groups, tsGroup("@", tsString(fmt.Sprint("child ", i))))
	}
	var want []string
	for _, i := range []int{0, 31, 32, 73, 74, 199} {
		groups = append(groups, append(tsReference(encoding(i)), tsReference(object(i))...))
		want = append(want, fmt.Sprint("child ", i))
		// A new string, whose class and encoding are those of that child.
		text := fmt.Sprint("like ", i)
		one := slices.Concat([]byte{0x84}, tsReference(object(i)+1), tsReference(encoding(i)+3), tsInt(len(text)), []byte(text), []byte{0x86})
		groups = append(groups, tsGroup("@", one))
		want = append(want, text)
	}
	list := tsObject([]string{"NSArray", "NSObject"}, groups...)
	body, err := chatdb.DecodeBody(attributed("x", run{1, tsMap(tsString("list"), list)}))
	if err != nil {
		t.Fatal(err)
	}
	v, _ := body.Runs[0].Attr("list")
	if len(v.List) != children+len(want) {
		t.Fatalf("%d values", len(v.List))
	}
	for i, text := range want {
		if got := v.List[children+i]; got.Kind != chatdb.ValueText || got.Text != text {
			t.Errorf("value %d is %+v, want %q", i, got, text)
		}
	}
}

// What stands where a class is due must be one.
func TestDecodeBodyWrongReferences(t *testing.T) {
	const text = 4 // the number of the string
	for name, value := range map[string][]byte{
		"an object for a class":  slices.Concat([]byte{0x84}, tsReference(text), []byte{0x86}),
		"an object for a parent": slices.Concat([]byte{0x84, 0x84}, tsShared("IMOdd"), []byte{0}, tsReference(text), []byte{0x86}),
		"an object for words":    tsObject([]string{"IMOdd", "NSObject"}, tsGroup("*", tsReference(text))),
		"a class for nothing":    {0x84, 0x85, 0x86},
	} {
		body, err := chatdb.DecodeBody(attributed("hello", run{5, tsMap(tsString("odd"), value)}))
		if err == nil || body.Text != "hello" {
			t.Errorf("%s: %q, %v", name, body.Text, err)
		}
	}
}

// A text of megabytes is decoded like any other, and what is above all measure refused.
func TestDecodeBodyLarge(t *testing.T) {
	want := strings.Repeat("schön 🎈 ", 900_000)
	blob := attributed(want, run{len(utf16.Encode([]rune(want))), part(0)})
	if len(blob) < 10<<20 {
		t.Fatalf("only %d bytes", len(blob))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	body, err := chatdb.DecodeBody(blob)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	runtime.ReadMemStats(&after)
	if err != nil || body.Text != want || len(body.Runs) != 1 {
		t.Errorf("%d bytes in %d runs, %v", len(body.Text), len(body.Runs), err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2*uint64(len(blob)) {
		t.Errorf("allocated %d bytes for %d", grown, len(blob))
	}
	if body, err := chatdb.DecodeBody(make([]byte, 17<<20)); err == nil || body.Text != "" {
		t.Errorf("%d bytes, %v", len(body.Text), err)
	}
}

// A dictionary may contain itself.
func TestDecodeBodyCycle(t *testing.T) {
	// Objects: root 0, its classes 1-3, the string 4 with classes 5-6, the
	// run's dictionary 7.
	blob := attributed("x", run{1, tsMap(tsString("self"), tsReference(7))})
	body, err := chatdb.DecodeBody(blob)
	if err != nil {
		t.Fatal(err)
	}
	v, ok := body.Runs[0].Attr("self")
	if !ok || v.Kind != chatdb.ValueMap || len(v.Map) != 1 || v.Map[0].Value.Kind != chatdb.ValueNil {
		t.Errorf("got %+v, want a map that ends in nil", v)
	}
}

func TestDecodeBodyAllocs(t *testing.T) {
	blob := readSample(t, "made/ascii-len-110")
	if n := testing.AllocsPerRun(100, func() { chatdb.DecodeBody(blob) }); n > 2 {
		t.Errorf("%v allocations, want the text and its runs", n)
	}
}

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	blob, err := os.ReadFile(filepath.Join("testdata", "typedstream", name))
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func FuzzDecodeBody(f *testing.F) {
	for _, s := range samples(f, filepath.Join("testdata", "typedstream")) {
		if blob := readSample(f, s.File); len(blob) < 4096 {
			f.Add(blob)
		}
	}
	for _, blob := range sharing(1000, 100) {
		f.Add(blob)
	}
	f.Add(fileBody("at_0_guid"))
	f.Add(attributed("\xff\xfeh\x00", run{1, part(0)}))
	f.Fuzz(func(t *testing.T, blob []byte) {
		body, err := chatdb.DecodeBody(blob)
		checkBody(t, body, err)
	})
}

func BenchmarkDecodeBody(b *testing.B) {
	for _, name := range []string{"made/ascii-len-110", "made/text-attachment-text", "made/many-parts-40", "made/ascii-len-100000"} {
		b.Run(filepath.Base(name), func(b *testing.B) {
			blob := readSample(b, name)
			b.SetBytes(int64(len(blob)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := chatdb.DecodeBody(blob); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
