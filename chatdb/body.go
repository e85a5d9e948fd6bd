package chatdb

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxBody is the largest attributedBody that is decoded, in bytes. A long text
// has thousands.
const maxBody = 16 << 20

// Body is the decoded attributedBody of a message.
type Body struct {
	// Text is the whole text, with U+FFFC where attachments and apps are.
	// Invalid UTF-8 is replaced by U+FFFD.
	Text string

	// Runs cover the text without gaps, in order. An empty text has none.
	Runs []Run
}

// Run is a stretch of text with the same attributes. Start and Length count
// UTF-16 units, as everything of Apple's that points into a text does.
type Run struct {
	Start, Length int

	// Part is the number of the message part that the run belongs to; runs in
	// a row with one number are one part, and numbers are missing where a part
	// was unsent. It is -1 on a run that names none.
	Part int

	// Attachment is the guid of the attachment whose placeholder this is.
	Attachment string

	Direction Direction

	// Attrs are all other attributes, in the order of the body: mentions,
	// links, one-time codes, styles, effects. Runs may share them: treat them
	// as read-only.
	Attrs []Attr
}

// Attr gives the attribute with that name, of those in Attrs.
func (r Run) Attr(name string) (Value, bool) {
	for _, a := range r.Attrs {
		if a.Name == name {
			return a.Value, true
		}
	}
	return Value{}, false
}

// Direction is the base writing direction of a run.
type Direction uint8

// The writing directions. Nearly every run says natural, or nothing.
const (
	DirectionUnset Direction = iota
	DirectionNatural
	LeftToRight
	RightToLeft
)

// The attributes that have a field in Run.
const (
	attrPart       = "__kIMMessagePartAttributeName"
	attrDirection  = "__kIMBaseWritingDirectionAttributeName"
	attrAttachment = "__kIMFileTransferGUIDAttributeName"
)

// maxGUID is the longest text that is taken for an attachment's guid; Apple's
// have about 40 bytes.
const maxGUID = 256

// body is what a stream gathers for a Body while it is read.
type body struct {
	text     span
	hasText  bool
	runs     table[rawRun]
	dicts    table[int32] // dictionary number - 1 → object
	wantDict bool         // the last run's dictionary is due next
	memo     map[int32]*known
	weight   int
	copied   int64 // bytes of the values
}

type rawRun struct{ dict, length int32 }

// DecodeBody decodes the attributedBody of a message: an attributed string in
// Apple's typedstream format, of either byte order, or bare UTF-16 with a byte
// order mark. It does not panic, takes time and memory in proportion to blob,
// and refuses blobs above 16 MiB.
//
// With an error, Body still holds the text if that much could be read, and the
// runs as far as they fit it.
func DecodeBody(blob []byte) (Body, error) {
	if len(blob) > maxBody {
		return Body{}, fmt.Errorf("decode body of %d bytes: %w", len(blob), errLength)
	}
	if text, ok := fromUTF16(blob); ok {
		b := Body{Text: text}
		if n := utf16Length(text); n > 0 {
			b.Runs = []Run{{Length: n, Part: -1}}
		}
		return b, nil
	}
	s := stream{data: blob, work: workFor(blob)}
	s.attributed()
	b, err := s.result()
	if err != nil {
		return b, fmt.Errorf("decode body at byte %d of %d: %w", s.pos, len(blob), err)
	}
	return b, nil
}

// bodyText is the text of an attributed string, as much of it as can be read. It looks at
// no attribute.
func bodyText(blob []byte) string {
	if text, ok := fromUTF16(blob); ok || len(blob) > maxBody {
		return text
	}
	s := stream{data: blob, work: workFor(blob)}
	s.attributed()
	text, _ := readText(s.bytes(s.body.text))
	return text
}

// workFor is the work that a stream is worth.
func workFor(blob []byte) int32 { return int32(16*len(blob) + 4096) }

// attributed reads the root, which must be an attributed string.
func (s *stream) attributed() {
	s.header()
	s.group(0)
	if s.err == nil && !s.body.hasText {
		s.fail(errNoText)
	}
}

// absorbAttributed takes the groups of an attributed string: its string, then
// for each run the number of a dictionary with a length, and after a new
// number the dictionary. One inside an attribute keeps its text alone.
func (s *stream) absorbAttributed(i int32, seq int, v [2]value, n int) {
	b := &s.body
	switch {
	case seq == 0:
		if v[0].kind != gotObject || s.objects.at(int32(v[0].num)).kind != isString {
			s.fail(errNoText)
			return
		}
		s.objects.at(i).at = s.objects.at(int32(v[0].num)).at
		if i == 0 {
			b.text, b.hasText = s.objects.at(i).at, true
		}
	case i != 0:
	case b.wantDict:
		if v[0].kind != gotObject || s.objects.at(int32(v[0].num)).kind != isDictionary {
			s.fail(errRuns)
			return
		}
		b.dicts.add(int32(v[0].num))
		b.wantDict = false
	case n == 2 && v[0].kind == gotInt && v[1].kind == gotInt:
		dict, length := v[0].num, v[1].num
		if dict < 1 || dict > int64(b.dicts.len())+1 || length < 0 || length > maxBody {
			s.fail(errRuns)
			return
		}
		b.wantDict = dict > int64(b.dicts.len())
		b.runs.add(rawRun{int32(dict), int32(length)})
	default:
		s.fail(errRuns)
	}
}

// result makes the Body of what was read, also after a failure.
func (s *stream) result() (Body, error) {
	if !s.body.hasText {
		return Body{}, s.err
	}
	var (
		b       Body
		sound   bool
		failure = s.err
	)
	s.err = nil // what was read before is made of all the same
	b.Text, sound = readText(s.bytes(s.body.text))
	total, covered := utf16Length(b.Text), 0
	if total > 0 && s.body.runs.len() > 0 {
		b.Runs = make([]Run, 0, min(s.body.runs.len(), total))
	}
	var made table[int32] // dictionary number - 1 → the first run that has it, or -1
	for _, raw := range s.body.runs.list() {
		if int(raw.dict) > s.body.dicts.len() {
			break // its dictionary was cut off
		}
		length := min(int(raw.length), total-covered)
		if length < int(raw.length) && failure == nil && sound {
			failure = errRuns
		}
		if length == 0 {
			continue
		}
		run := Run{Part: -1}
		for made.len() < int(raw.dict) {
			made.add(-1)
		}
		if at := made.at(raw.dict - 1); *at >= 0 {
			run = b.Runs[*at]
		} else {
			s.attributes(&run, *s.body.dicts.at(raw.dict - 1))
			*at = int32(len(b.Runs))
		}
		run.Start, run.Length = covered, length
		b.Runs = append(b.Runs, run)
		covered += length
	}
	if failure == nil {
		failure = s.err
	}
	if failure == nil && covered < total {
		if sound || len(b.Runs) == 0 {
			return b, errRuns
		}
		// The lengths counted characters that had to be replaced.
		b.Runs[len(b.Runs)-1].Length += total - covered
	}
	return b, failure
}

// readText gives the characters of a string; sound is false where they had to
// be repaired. UTF-16 with a byte order mark was met once in place of UTF-8.
func readText(raw []byte) (text string, sound bool) {
	if utf8.Valid(raw) {
		return string(raw), true
	}
	if text, ok := fromUTF16(raw); ok {
		return text, true
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD"), false
}

// fromUTF16 needs a byte order mark, which never begins valid UTF-8 or a
// typedstream.
func fromUTF16(raw []byte) (string, bool) {
	if len(raw) < 2 {
		return "", false
	}
	var low, high int // where the bytes of a unit are
	switch {
	case raw[0] == 0xFF && raw[1] == 0xFE:
		high = 1
	case raw[0] == 0xFE && raw[1] == 0xFF:
		low = 1
	default:
		return "", false
	}
	units := make([]uint16, 0, len(raw)/2)
	for raw = raw[2:]; len(raw) >= 2; raw = raw[2:] {
		units = append(units, uint16(raw[low])|uint16(raw[high])<<8)
	}
	if len(raw) == 1 {
		units = append(units, utf8.RuneError)
	}
	return string(utf16.Decode(units)), true
}

// utf16Length counts the UTF-16 units of valid UTF-8: one for each character,
// two for those of four bytes.
func utf16Length(text string) int {
	n := 0
	for i := range len(text) {
		if b := text[i]; b < 0x80 || b >= 0xC0 {
			n++
		}
		if text[i] >= 0xF0 {
			n++
		}
	}
	return n
}
