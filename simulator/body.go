package simulator

import (
	"encoding/binary"
	"slices"
	"strings"
	"unicode/utf16"
)

// Attribute names of an ordinary message's runs.
const (
	attrDirection = "__kIMBaseWritingDirectionAttributeName"
	attrPart      = "__kIMMessagePartAttributeName"
	attrTransfer  = "__kIMFileTransferGUIDAttributeName"
)

// objectMark stands in a body's text for each attachment.
const objectMark = "\uFFFC"

// bodyAttr is one attribute of a run: a number, or a string where it has one.
type bodyAttr struct {
	name   string
	number int64
	text   string
}

// bodyRun is a stretch of text with the same attributes.
type bodyRun struct {
	text  string
	attrs []bodyAttr
}

// messageBody gives the attributedBody of a message: the attachment, where
// there is one, as part 0, and the text as the part after it. Messages sent on
// a Mac have a mutable root, received ones a plain one.
func messageBody(text, transfer string, own bool) []byte {
	var runs []bodyRun
	if transfer != "" {
		runs = append(runs, bodyRun{objectMark, []bodyAttr{
			{name: attrDirection, number: -1},
			{name: attrPart, number: 0},
			{name: attrTransfer, text: transfer},
		}})
	}
	if text != "" {
		runs = append(runs, bodyRun{strings.ToValidUTF8(text, "\uFFFD"), []bodyAttr{
			{name: attrDirection, number: -1},
			{name: attrPart, number: int64(len(runs))},
		}})
	}
	return encodeBody(runs, own)
}

// encodeBody writes an attributed string as the typedstream (NSArchiver)
// format has it: header, the string with its length in bytes, then per run the
// number of its attribute dictionary and its length in UTF-16 units. A
// dictionary equal to an earlier one is named by that one's number.
func encodeBody(runs []bodyRun, mutable bool) []byte {
	root, str := classAttributedString, classString
	if mutable {
		root, str = classMutableAttributedString, classMutableString
	}
	var text strings.Builder
	for _, r := range runs {
		text.WriteString(r.text)
	}
	s := newTypedStream(text.Len())
	s.shared("@")
	s.begin(root)
	s.shared("@")
	s.string(str, text.String())
	var seen [][]bodyAttr
	for _, r := range runs {
		number := slices.IndexFunc(seen, func(a []bodyAttr) bool { return slices.Equal(a, r.attrs) }) + 1
		known := number > 0
		if !known {
			seen = append(seen, r.attrs)
			number = len(seen)
		}
		s.shared("iI")
		s.int(int64(number))
		s.int(int64(utf16Length(r.text)))
		if !known {
			s.shared("@")
			s.dictionary(r.attrs)
		}
	}
	s.end()
	return s.buf
}

func utf16Length(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// streamClass is a Foundation class as an archive names it: with its version
// and its ancestors.
type streamClass struct {
	name    string
	version int64
	super   string
}

const (
	classAttributedString        = "NSAttributedString"
	classMutableAttributedString = "NSMutableAttributedString"
	classString                  = "NSString"
	classMutableString           = "NSMutableString"
	classDictionary              = "NSDictionary"
	classNumber                  = "NSNumber"
)

func streamClassNamed(name string) streamClass {
	switch name {
	case classMutableAttributedString:
		return streamClass{name, 0, classAttributedString}
	case classMutableString:
		return streamClass{name, 1, classString}
	case classString:
		return streamClass{name, 1, "NSObject"}
	case classNumber:
		return streamClass{name, 0, "NSValue"}
	case "NSObject":
		return streamClass{name, 0, ""}
	default:
		return streamClass{name, 0, "NSObject"}
	}
}

// Head bytes of the format.
const (
	headInt16 = 0x81
	headInt32 = 0x82
	headNew   = 0x84
	headNil   = 0x85
	headEnd   = 0x86
	// refBase is what a table index is lowered by when written: the byte
	// values below it are heads.
	refBase = 110
)

// typedStream writes one archive. Two tables grow as things are first met:
// shared strings (encodings and class names), and objects with classes and C
// strings among them; later mentions are references into them.
type typedStream struct {
	buf      []byte
	strings  map[string]int64
	classes  map[string]int64
	cstrings map[string]int64
	objects  int64
}

func newTypedStream(textBytes int) *typedStream {
	s := &typedStream{
		buf:      make([]byte, 0, textBytes+512),
		strings:  make(map[string]int64),
		classes:  make(map[string]int64),
		cstrings: make(map[string]int64),
	}
	const signature = "streamtyped"
	s.buf = append(s.buf, 4, byte(len(signature)))
	s.buf = append(s.buf, signature...)
	s.int(1000)
	return s
}

// int writes a number in its shortest form. What Apple writes for 32768 to
// 65535 is not known; the 32-bit form is the one that no reader can mistake.
func (s *typedStream) int(v int64) {
	switch {
	case v >= -refBase && v <= 127:
		s.buf = append(s.buf, byte(v))
	case v == int64(int16(v)):
		s.buf = append(s.buf, headInt16)
		s.buf = binary.LittleEndian.AppendUint16(s.buf, uint16(v))
	default:
		s.buf = append(s.buf, headInt32)
		s.buf = binary.LittleEndian.AppendUint32(s.buf, uint32(v))
	}
}

func (s *typedStream) shared(v string) {
	if index, ok := s.strings[v]; ok {
		s.int(index - refBase)
		return
	}
	s.strings[v] = int64(len(s.strings))
	s.buf = append(s.buf, headNew)
	s.int(int64(len(v)))
	s.buf = append(s.buf, v...)
}

// begin opens an object, which takes its number before its class does.
func (s *typedStream) begin(class string) {
	s.buf = append(s.buf, headNew)
	s.objects++
	s.class(class)
}

func (s *typedStream) end() { s.buf = append(s.buf, headEnd) }

func (s *typedStream) class(name string) {
	if name == "" {
		s.buf = append(s.buf, headNil)
		return
	}
	if index, ok := s.classes[name]; ok {
		s.int(index - refBase)
		return
	}
	s.classes[name] = s.objects
	s.objects++
	c := streamClassNamed(name)
	s.buf = append(s.buf, headNew)
	s.shared(c.name)
	s.int(c.version)
	s.class(c.super)
}

func (s *typedStream) string(class, v string) {
	s.begin(class)
	s.shared("+")
	s.int(int64(len(v)))
	s.buf = append(s.buf, v...)
	s.end()
}

func (s *typedStream) number(v int64) {
	s.begin(classNumber)
	s.shared("*")
	s.cstring("q")
	s.shared("q")
	s.int(v)
	s.end()
}

func (s *typedStream) cstring(v string) {
	if index, ok := s.cstrings[v]; ok {
		s.int(index - refBase)
		return
	}
	s.cstrings[v] = s.objects
	s.objects++
	s.buf = append(s.buf, headNew)
	s.shared(v)
}

func (s *typedStream) dictionary(attrs []bodyAttr) {
	s.begin(classDictionary)
	s.shared("i")
	s.int(int64(len(attrs)))
	for _, a := range attrs {
		s.shared("@")
		s.string(classString, a.name)
		s.shared("@")
		if a.text != "" {
			s.string(classString, a.text)
		} else {
			s.number(a.number)
		}
	}
	s.end()
}
