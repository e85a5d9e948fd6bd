package chatdb

import (
	"errors"
	"math"
)

// What makes a body unreadable.
var (
	errSignature = errors.New("not a typedstream")
	errCut       = errors.New("ends too early")
	errHead      = errors.New("unexpected byte")
	errReference = errors.New("reference to nothing")
	errLength    = errors.New("impossible length")
	errEncoding  = errors.New("malformed type encoding")
	errDepth     = errors.New("nested too deeply")
	errWork      = errors.New("too much work for its size")
	errNoText    = errors.New("no attributed string")
	errRuns      = errors.New("runs do not fit the text")
)

// The bytes that open a value.
const (
	headInt16 = 0x81
	headInt32 = 0x82
	headFloat = 0x83
	headNew   = 0x84
	headNil   = 0x85
	headEnd   = 0x86
	headInt64 = 0x87
	headFirst = 0x92 // the first byte that is a number itself: -110, or reference 0
)

// maxDepth bounds objects within objects. Real bodies need about six.
const maxDepth = 64

// span is a stretch of the stream.
type span struct{ lo, hi int32 }

func (p span) empty() bool { return p.lo == p.hi }

// stream reads the primitives of a typedstream: integers, shared strings and
// values by their type encoding. The first failure sticks and ends all
// reading, so that callers check it once per loop.
type stream struct {
	data []byte
	pos  int32
	end  int32 // len(data), or pos after a failure
	big  bool  // big-endian
	err  error

	// work is what may still be done: each byte of an encoding costs one. The
	// same encoding may be used again by a reference of one byte, and array
	// elements may take no bytes at all, so the length of the stream alone
	// does not bound the time.
	work int32

	strings table[span]   // shared strings, by order of appearance
	objects table[object] // objects, classes and C strings, by order of appearance
	items   table[int32]  // the children of finished containers
	open    table[int32]  // the children of containers still being read

	body body
}

func (s *stream) fail(err error) {
	if s.err == nil {
		s.err = err
		s.end = s.pos
	}
}

func (s *stream) bytes(p span) []byte { return s.data[p.lo:p.hi] }

// header accepts both byte orders. The number of the system that wrote it is
// read and ignored.
func (s *stream) header() {
	const little, big = "\x04\x0bstreamtyped", "\x04\x0btypedstream"
	s.end = int32(len(s.data))
	if len(s.data) < len(little) {
		s.fail(errSignature)
		return
	}
	switch string(s.data[:len(little)]) {
	case little:
	case big:
		s.big = true
	default:
		s.fail(errSignature)
		return
	}
	s.pos = int32(len(little))
	s.integer()
}

func (s *stream) byte() byte {
	if s.pos >= s.end {
		s.fail(errCut)
		return 0
	}
	b := s.data[s.pos]
	s.pos++
	return b
}

// raw takes n bytes as they stand.
func (s *stream) raw(n int64) span {
	if n < 0 || n > int64(s.end-s.pos) {
		s.fail(errLength)
		return span{}
	}
	p := span{s.pos, s.pos + int32(n)}
	s.pos = p.hi
	return p
}

func (s *stream) uint(size int64) uint64 {
	var n uint64
	for i, b := range s.bytes(s.raw(size)) {
		if s.big {
			n = n<<8 | uint64(b)
		} else {
			n |= uint64(b) << (8 * i)
		}
	}
	return n
}

func (s *stream) integer() int64 { return s.integerOf(s.byte(), true) }

// integerOf reads an integer whose first byte is known. The stream does not
// say whether a longer form is signed; the type does.
func (s *stream) integerOf(head byte, signed bool) int64 {
	switch {
	case head < 0x80:
		return int64(head)
	case head >= headFirst:
		return int64(int8(head))
	case head == headInt16 && signed:
		return int64(int16(s.uint(2)))
	case head == headInt16:
		return int64(s.uint(2))
	case head == headInt32 && signed:
		return int64(int32(s.uint(4)))
	case head == headInt32:
		return int64(s.uint(4))
	case head == headInt64:
		return int64(s.uint(8))
	}
	s.fail(errHead)
	return 0
}

func (s *stream) float(size int64) float64 {
	head := s.byte()
	switch {
	case head != headFloat:
		return float64(s.integerOf(head, true)) // whole numbers are written as integers
	case size == 4:
		return float64(math.Float32frombits(uint32(s.uint(4))))
	default:
		return math.Float64frombits(s.uint(8))
	}
}

// length reads a count of bytes or elements. Lengths from 32768 to 65535 may
// come in the 16-bit form, so it counts as unsigned.
func (s *stream) length() int64 { return s.integerOf(s.byte(), false) }

// reference turns the first byte of one into an index below n.
func (s *stream) reference(head byte, n int) int32 {
	i := s.integerOf(head, true) - int64(int8(headFirst-0x100))
	if s.err == nil && (i < 0 || i >= int64(n)) {
		s.fail(errReference)
	}
	if s.err != nil {
		return 0
	}
	return int32(i)
}

// shared reads a string of the shared table: an encoding, a class name, or the
// contents of a C string.
func (s *stream) shared() span {
	switch head := s.byte(); head {
	case headNew:
		p := s.raw(s.length())
		if s.err == nil {
			s.strings.add(p)
		}
		return p
	case headNil:
		return span{}
	default:
		i := s.reference(head, s.strings.len())
		if s.err != nil {
			return span{}
		}
		return *s.strings.at(i)
	}
}

// value is one value of a group.
type value struct {
	kind valueKind
	num  int64 // integer, bits of a float, index of an object
	at   span  // characters or bytes
}

type valueKind uint8

const (
	gotNothing valueKind = iota
	gotInt
	gotFloat
	gotBytes
	gotObject
)

// group reads an encoding and the values that it announces, and keeps the
// first two: no class that is understood here has more in one group.
func (s *stream) group(depth int) (values [2]value, n int) {
	encoding := s.shared()
	if s.err == nil && encoding.empty() {
		s.fail(errEncoding)
	}
	for at := encoding.lo; at < encoding.hi && s.err == nil; n++ {
		var v value
		if v, at = s.value(at, encoding.hi, depth); n < len(values) {
			values[n] = v
		}
	}
	return values, n
}

// value reads one value of the type at data[at:end] and gives the place of the
// next type.
func (s *stream) value(at, end int32, depth int) (value, int32) {
	if s.work--; s.work < 0 {
		s.fail(errWork)
	}
	if at >= end || s.err != nil {
		s.fail(errEncoding)
		return value{}, end
	}
	next := at + 1
	switch s.data[at] {
	case '@':
		if i := s.object(depth + 1); i >= 0 {
			return value{kind: gotObject, num: int64(i)}, next
		}
		return value{}, next
	case 'i', 's', 'l', 'q':
		return value{kind: gotInt, num: s.integer()}, next
	case 'I', 'S', 'L', 'Q':
		return value{kind: gotInt, num: s.length()}, next
	case '+':
		return s.text(), next
	case '*':
		return s.cString(), next
	case 'c':
		return value{kind: gotInt, num: int64(int8(s.byte()))}, next
	case 'C', 'B':
		return value{kind: gotInt, num: int64(s.byte())}, next
	case 'f':
		return value{kind: gotFloat, num: int64(math.Float64bits(s.float(4)))}, next
	case 'd':
		return value{kind: gotFloat, num: int64(math.Float64bits(s.float(8)))}, next
	case ':', '%':
		return value{kind: gotBytes, at: s.shared()}, next
	case '#':
		s.class()
		return value{}, next
	case '[':
		return s.array(next, end, depth+1)
	case '{':
		return value{}, s.structure(next, end, depth+1)
	}
	s.fail(errEncoding)
	return value{}, end
}

// text reads counted characters. The count is in bytes.
func (s *stream) text() value {
	head := s.byte()
	if head == headNil || s.err != nil {
		return value{}
	}
	return value{kind: gotBytes, at: s.raw(s.integerOf(head, false))}
}

// cString has an object number of its own besides its shared characters.
func (s *stream) cString() value {
	switch head := s.byte(); head {
	case headNil:
		return value{}
	case headNew:
		i := int32(s.objects.len())
		s.objects.add(object{kind: isCString})
		at := s.shared()
		s.objects.at(i).at = at
		return value{kind: gotBytes, at: at}
	default:
		i := s.reference(head, s.objects.len())
		if s.err == nil && s.objects.at(i).kind != isCString {
			s.fail(errReference)
		}
		if s.err != nil {
			return value{}
		}
		return value{kind: gotBytes, at: s.objects.at(i).at}
	}
}

// array reads "[607c]" from behind its bracket.
func (s *stream) array(at, end int32, depth int) (value, int32) {
	count := int64(0)
	for ; at < end && '0' <= s.data[at] && s.data[at] <= '9'; at++ {
		if count = count*10 + int64(s.data[at]-'0'); count > math.MaxInt32 {
			s.fail(errLength)
		}
		s.work--
	}
	if at >= end || depth > maxDepth || s.err != nil {
		s.fail(errEncoding)
		return value{}, end
	}
	var got value
	next := at
	if c := s.data[at]; c == 'c' || c == 'C' || c == 'B' {
		got, next = value{kind: gotBytes, at: s.raw(count)}, at+1
	} else {
		next = s.skipType(at, end)
		for range count {
			if s.value(at, next, depth); s.err != nil {
				return value{}, end
			}
		}
	}
	if next >= end || s.data[next] != ']' {
		s.fail(errEncoding)
		return value{}, end
	}
	return got, next + 1
}

// structure reads "{_NSRange=QQ}" from behind its brace and keeps nothing.
func (s *stream) structure(at, end int32, depth int) int32 {
	if depth > maxDepth {
		s.fail(errDepth)
		return end
	}
	for at < end && s.data[at] != '=' && s.data[at] != '}' {
		at++
		s.work--
	}
	if at < end && s.data[at] == '=' {
		for at++; at < end && s.data[at] != '}' && s.err == nil; {
			_, at = s.value(at, end, depth)
		}
	}
	if at >= end {
		s.fail(errEncoding)
		return end
	}
	return at + 1
}

// skipType gives the end of the type at data[at:end].
func (s *stream) skipType(at, end int32) int32 {
	for open := 0; at < end; at++ {
		s.work--
		switch s.data[at] {
		case '[', '{':
			open++
		case ']', '}':
			open--
		}
		if open <= 0 {
			return at + 1
		}
	}
	s.fail(errEncoding)
	return end
}
