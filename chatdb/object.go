package chatdb

// object is one entry of a typedstream's object table.
type object struct {
	kind  objectKind
	float bool  // a number, whose bits are those of a float64
	bits  int64 // a number
	at    span  // characters, bytes, or the name of the class
	items span  // children, in stream.items
}

// objectKind is what an entry is. For a class it is what its instances are,
// with class set.
type objectKind uint8

const (
	isUnknown objectKind = iota
	isCString
	isString
	isAttributed
	isDictionary
	isList
	isNumber
	isURL
	isData
	isDate

	isClass objectKind = 0x80 // a flag
)

// kindNamed knows the immutable classes; the mutable ones name them as their
// ancestors.
func kindNamed(name []byte) objectKind {
	switch string(name) {
	case "NSString":
		return isString
	case "NSAttributedString":
		return isAttributed
	case "NSDictionary":
		return isDictionary
	case "NSArray", "NSSet":
		return isList
	case "NSValue":
		return isNumber
	case "NSURL":
		return isURL
	case "NSData":
		return isData
	case "NSDate":
		return isDate
	}
	return isUnknown
}

// class reads a class with its chain of ancestors and gives its index. What
// instances are is decided by the nearest ancestor that is known.
func (s *stream) class() int32 {
	first := int32(s.objects.len())
	kind := isUnknown
	for s.err == nil {
		head := s.byte()
		if head == headNil {
			break
		}
		if head != headNew {
			i := s.reference(head, s.objects.len())
			if s.err == nil && s.objects.at(i).kind&isClass == 0 {
				s.fail(errReference)
			}
			if s.err != nil {
				return -1
			}
			if kind = s.objects.at(i).kind &^ isClass; int(first) == s.objects.len() {
				return i
			}
			break
		}
		i := int32(s.objects.len())
		s.objects.add(object{kind: isClass})
		s.objects.at(i).at = s.shared()
		s.integer() // the class's version changes nothing that is read here
	}
	if s.err != nil || int(first) == s.objects.len() {
		return -1
	}
	for i := int32(s.objects.len()) - 1; i >= first; i-- {
		if known := kindNamed(s.bytes(s.objects.at(i).at)); known != isUnknown {
			kind = known
		}
		s.objects.at(i).kind = kind | isClass
	}
	return first
}

// object reads an object and gives its index, or -1 for nil.
func (s *stream) object(depth int) int32 {
	if depth > maxDepth {
		s.fail(errDepth)
		return -1
	}
	switch head := s.byte(); head {
	case headNil:
		return -1
	case headNew:
		return s.instance(depth)
	default:
		i := s.reference(head, s.objects.len())
		if s.err != nil {
			return -1
		}
		return i
	}
}

// instance reads groups until the object's end, also those of classes that are
// not understood: bytes inside binary data may look like anything, so nothing
// is ever searched for.
func (s *stream) instance(depth int) int32 {
	i := int32(s.objects.len())
	s.objects.add(object{})
	class := s.class()
	if s.err == nil && class < 0 {
		s.fail(errHead)
	}
	if s.err != nil {
		return -1
	}
	kind := s.objects.at(class).kind &^ isClass
	s.objects.at(i).kind = kind
	if kind == isUnknown || kind == isNumber {
		s.objects.at(i).at = s.objects.at(class).at
	}
	mark := s.open.len()
	for seq := 0; s.err == nil; seq++ {
		if s.pos < s.end && s.data[s.pos] == headEnd {
			s.pos++
			break
		}
		values, n := s.group(depth)
		if s.err == nil {
			s.absorb(i, seq, values, n)
		}
	}
	if s.open.len() > mark {
		lo := int32(s.items.len())
		for _, child := range s.open.list()[mark:] {
			s.items.add(child)
		}
		s.open.cut(mark)
		s.objects.at(i).items = span{lo, int32(s.items.len())}
	}
	return i
}

// absorb takes what the group number seq means to an object.
func (s *stream) absorb(i int32, seq int, v [2]value, n int) {
	o := s.objects.at(i)
	switch o.kind {
	case isAttributed:
		s.absorbAttributed(i, seq, v, n)
	case isString:
		if seq == 0 && v[0].kind == gotBytes {
			o.at = v[0].at
		}
	case isDictionary, isList:
		if seq > 0 { // the first is their count
			s.adopt(v[0])
		}
	case isNumber:
		if seq == 1 && (v[0].kind == gotInt || v[0].kind == gotFloat) {
			o.bits, o.float = v[0].num, v[0].kind == gotFloat
		} else if seq == 1 {
			o.kind = isUnknown // an NSValue of a structure
		}
	case isURL:
		if v[0].kind == gotObject {
			o.at = s.objects.at(int32(v[0].num)).at // the last string; a base may stand before it
		}
	case isData:
		if v[0].kind == gotBytes {
			o.at = v[0].at
		}
	case isDate:
		o.bits, o.float = v[0].num, v[0].kind == gotFloat
	}
}

// adopt adds a child, nil as -1.
func (s *stream) adopt(v value) {
	child := int32(-1)
	if v.kind == gotObject {
		child = int32(v.num)
	}
	s.open.add(child)
}
