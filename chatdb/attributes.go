package chatdb

import (
	"bytes"
	"math"
	"time"
)

// Names of attributes that a run may carry. Others occur.
const (
	AttrMention       = "__kIMMentionConfirmedMention"        // text: the address that is mentioned
	AttrLink          = "__kIMLinkAttributeName"              // URL
	AttrOneTimeCode   = "__kIMOneTimeCodeAttributeName"       // map with code and displayCode
	AttrFilename      = "__kIMFilenameAttributeName"          // text
	AttrTranscription = "IMAudioTranscription"                // text: what a voice note says
	AttrBold          = "__kIMTextBoldAttributeName"          // integer
	AttrItalic        = "__kIMTextItalicAttributeName"        // integer
	AttrUnderline     = "__kIMTextUnderlineAttributeName"     // integer
	AttrStrikethrough = "__kIMTextStrikethroughAttributeName" // integer
	AttrTextEffect    = "__kIMTextEffectAttributeName"        // integer
)

// Attr is one attribute of a run, or one entry of a map.
type Attr struct {
	Name  string
	Value Value
}

// ValueKind says which field of a Value counts.
type ValueKind uint8

// The kinds of value.
const (
	ValueNil   ValueKind = iota
	ValueText            // Text
	ValueURL             // Text
	ValueInt             // Int
	ValueFloat           // Float
	ValueDate            // Date
	ValueBytes           // Bytes, often a property list
	ValueList            // List
	ValueMap             // Map
	ValueOther           // an object of another class, whose name is in Text
)

// Value is the value of an attribute. What is inside a value may be shared
// with others of the same body: treat it as read-only.
type Value struct {
	Kind  ValueKind
	Text  string
	Int   int64
	Float float64
	Date  time.Time
	Bytes []byte
	List  []Value
	Map   []Attr
}

// known is the value of an object that was made before. weight counts the
// values a walk through it meets, without itself.
type known struct {
	value  Value
	weight int
}

// maxWeight bounds the values of one body, counted as often as a walk meets
// them, nil ones included: a few references can make a small body unfold into billions.
const maxWeight = 1 << 16

// attributes fills the run from its dictionary. Where that is too much work the
// attributes that have a field are still read.
func (s *stream) attributes(run *Run, dict int32) {
	children := s.children(dict)
	for ; len(children) >= 2; children = children[2:] {
		if !s.standard(run, children[0], children[1]) && s.err == nil {
			run.Attrs = append(run.Attrs, s.attr(children[0], children[1], 0))
		}
	}
}

func (s *stream) children(i int32) []int32 {
	p := s.objects.at(i).items
	return s.items.list()[p.lo:p.hi]
}

// standard takes the attributes that have a field in Run, which are all there
// is on an ordinary message: they cost nothing but the field.
func (s *stream) standard(run *Run, key, val int32) bool {
	if key < 0 || val < 0 || s.objects.at(key).kind != isString {
		return false
	}
	v := s.objects.at(val)
	whole := v.kind == isNumber && !v.float
	switch string(s.bytes(s.objects.at(key).at)) {
	case attrPart:
		if !whole || v.bits < 0 || v.bits > math.MaxInt32 {
			return false
		}
		run.Part = int(v.bits)
	case attrDirection:
		if !whole || v.bits < -1 || v.bits > 1 {
			return false
		}
		run.Direction = DirectionNatural + Direction(v.bits+1)
	case attrAttachment:
		if v.kind != isString || v.at.hi-v.at.lo > maxGUID {
			return false
		}
		run.Attachment, _ = readText(bytes.TrimSpace(s.copied(v.at)))
	default:
		return false
	}
	return true
}

func (s *stream) attr(key, val int32, depth int) Attr {
	return Attr{Name: s.materialise(key, depth).Text, Value: s.materialise(val, depth)}
}

// materialise makes the value of an object once, however often it is referred
// to.
func (s *stream) materialise(i int32, depth int) Value {
	if s.body.weight++; s.body.weight > maxWeight {
		s.fail(errWork)
	}
	if i < 0 || depth > maxDepth || s.err != nil {
		return Value{}
	}
	if k := s.body.memo[i]; k != nil {
		s.body.weight += k.weight
		return k.value
	}
	if s.body.memo == nil {
		s.body.memo = make(map[int32]*known)
	}
	// It is known as nil while its children are made: an object may
	// contain itself.
	k := &known{}
	s.body.memo[i] = k
	before := s.body.weight
	k.value = s.valueOf(i, depth)
	k.weight = s.body.weight - before
	return k.value
}

// copied gives the bytes of a stretch that a value is about to copy. Any number of
// objects may name one stretch (the name of their class, a shared string), where those
// of a real body have each its own: what is copied is at most some times the stream.
func (s *stream) copied(p span) []byte {
	s.body.copied += int64(p.hi - p.lo)
	if s.body.copied > int64(4*len(s.data)+4096) {
		s.fail(errWork)
		return nil
	}
	return s.bytes(p)
}

func (s *stream) valueOf(i int32, depth int) Value {
	o := *s.objects.at(i)
	switch o.kind {
	case isString, isCString, isAttributed, isURL:
		text, _ := readText(s.copied(o.at))
		if o.kind == isURL {
			return Value{Kind: ValueURL, Text: text}
		}
		return Value{Kind: ValueText, Text: text}
	case isNumber:
		if o.float {
			return Value{Kind: ValueFloat, Float: math.Float64frombits(uint64(o.bits))}
		}
		return Value{Kind: ValueInt, Int: o.bits}
	case isDate:
		return Value{Kind: ValueDate, Date: o.date()}
	case isData:
		return Value{Kind: ValueBytes, Bytes: bytes.Clone(s.copied(o.at))}
	case isList:
		v := Value{Kind: ValueList}
		for _, child := range s.children(i) {
			if s.err != nil {
				break
			}
			v.List = append(v.List, s.materialise(child, depth+1))
		}
		return v
	case isDictionary:
		v := Value{Kind: ValueMap}
		for children := s.children(i); len(children) >= 2 && s.err == nil; children = children[2:] {
			v.Map = append(v.Map, s.attr(children[0], children[1], depth+1))
		}
		return v
	}
	text, _ := readText(s.copied(o.at))
	return Value{Kind: ValueOther, Text: text}
}

// date reads seconds since 2001.
func (o object) date() time.Time {
	seconds := float64(o.bits)
	if o.float {
		seconds = math.Float64frombits(uint64(o.bits))
	}
	if !(seconds > 0 && seconds < lastSecond) {
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(appleEpoch+int64(whole), int64(part*1e9)).UTC()
}
