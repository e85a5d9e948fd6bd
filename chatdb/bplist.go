package chatdb

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// bplist is a binary property list, read in place. Nothing is expanded until it
// is asked for, so that lists which name one another a thousand times over, or
// themselves, cost nothing: general decoders build the whole tree first.
//
// The zero value, and every question that does not fit the data, answer
// "nothing there".
type bplist struct {
	data    []byte
	offsets int // where the table of offsets begins; objects lie before it
	count   int // of objects
	offSize int // bytes of an offset
	refSize int // bytes of an object's number
	top     int
}

// plistRef is one object of a bplist, by its number; negative for none.
type plistRef int

const noRef plistRef = -1

const (
	bplistMagic   = "bplist0"
	bplistTrailer = 32
)

var errBplist = errors.New("not a binary property list")

// openBplist checks the frame: the trailer's numbers, and that the table of
// offsets lies inside the data.
func openBplist(data []byte) (bplist, error) {
	if len(data) < len(bplistMagic)+2+bplistTrailer || string(data[:len(bplistMagic)]) != bplistMagic {
		return bplist{}, errBplist
	}
	trailer := data[len(data)-bplistTrailer:]
	body := uint64(len(data) - bplistTrailer)
	count, top, offsets := binary.BigEndian.Uint64(trailer[8:]), binary.BigEndian.Uint64(trailer[16:]), binary.BigEndian.Uint64(trailer[24:])
	offSize, refSize := trailer[6], trailer[7]
	if offSize < 1 || offSize > 8 || refSize < 1 || refSize > 8 || offsets > body ||
		count > (body-offsets)/uint64(offSize) || top >= count {
		return bplist{}, errBplist
	}
	return bplist{data: data, offsets: int(offsets), count: int(count), offSize: int(offSize), refSize: int(refSize), top: int(top)}, nil
}

func (p bplist) root() plistRef {
	if p.count == 0 {
		return noRef
	}
	return plistRef(p.top)
}

// number reads size bytes, big-endian; ok is false beyond the objects or where
// it is no plain int.
func (p bplist) number(at, size int) (n int, ok bool) {
	if at < 0 || size < 1 || size > 8 || at > len(p.data)-size {
		return 0, false
	}
	var v uint64
	for _, b := range p.data[at : at+size] {
		v = v<<8 | uint64(b)
	}
	if v > math.MaxInt32 {
		return 0, false
	}
	return int(v), true
}

// at gives an object's tag, the count in it, and where its contents begin.
func (p bplist) at(o plistRef) (tag byte, n, start int, ok bool) {
	if o < 0 || int(o) >= p.count {
		return 0, 0, 0, false
	}
	pos, ok := p.number(p.offsets+int(o)*p.offSize, p.offSize)
	if !ok || pos >= p.offsets {
		return 0, 0, 0, false
	}
	tag, n, start = p.data[pos]&0xF0, int(p.data[pos]&0x0F), pos+1
	if n != 0x0F || tag < tagData {
		return tag, n, start, true
	}
	// A count of 15 and more follows as an integer object.
	if start >= p.offsets || p.data[start]&0xF0 != tagInt || p.data[start]&0x0F > 3 {
		return 0, 0, 0, false
	}
	size := 1 << (p.data[start] & 0x0F)
	n, ok = p.number(start+1, size)
	return tag, n, start + 1 + size, ok
}

// The kinds of objects: the upper half of the first byte.
const (
	tagInt   = 0x10
	tagReal  = 0x20
	tagData  = 0x40
	tagASCII = 0x50
	tagArray = 0xA0
	tagDict  = 0xD0
)

// bytes are the contents of an object of n elements of size bytes.
func (p bplist) bytes(start, n, size int) ([]byte, bool) {
	if start > p.offsets || n > (p.offsets-start)/size {
		return nil, false
	}
	return p.data[start : start+n*size], true
}

// list gives the elements of an array, at most limit of them.
func (p bplist) list(o plistRef, limit int) []plistRef {
	tag, n, start, ok := p.at(o)
	if !ok || tag != tagArray {
		return nil
	}
	return p.refs(start, n, limit)
}

func (p bplist) refs(start, n, limit int) []plistRef {
	if _, ok := p.bytes(start, n, p.refSize); !ok {
		return nil
	}
	list := make([]plistRef, 0, min(n, limit))
	for i := range min(n, limit) {
		ref, ok := p.number(start+i*p.refSize, p.refSize)
		if !ok {
			return nil
		}
		list = append(list, plistRef(ref))
	}
	return list
}

// dict gives keys and values of a dictionary, at most limit of them.
func (p bplist) dict(o plistRef, limit int) (keys, values []plistRef) {
	tag, n, start, ok := p.at(o)
	if !ok || tag != tagDict {
		return nil, nil
	}
	if _, ok := p.bytes(start, n, 2*p.refSize); !ok {
		return nil, nil
	}
	return p.refs(start, n, limit), p.refs(start+n*p.refSize, n, limit)
}

// member is the value of a key in a dictionary.
func (p bplist) member(o plistRef, key string) plistRef {
	keys, values := p.dict(o, maxMembers)
	for i, k := range keys {
		if i < len(values) && p.is(k, key) {
			return values[i]
		}
	}
	return noRef
}

// maxMembers bounds how many members of one dictionary are looked at. Apple's
// summary has about ten, and one for each part of a message below that.
const maxMembers = 512

// is compares a key without making a string of it.
func (p bplist) is(o plistRef, key string) bool {
	tag, n, start, ok := p.at(o)
	if !ok || tag != tagASCII || n != len(key) {
		return false
	}
	raw, ok := p.bytes(start, n, 1)
	return ok && string(raw) == key
}

// index reads a key that is a small number in decimal digits.
func (p bplist) index(o plistRef) (int, bool) {
	tag, n, start, ok := p.at(o)
	if !ok || tag != tagASCII || n < 1 || n > 4 {
		return 0, false
	}
	raw, ok := p.bytes(start, n, 1)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseUint(string(raw), 10, 16)
	return int(i), err == nil
}

func (p bplist) blob(o plistRef) []byte {
	tag, n, start, ok := p.at(o)
	if !ok || tag != tagData {
		return nil
	}
	raw, _ := p.bytes(start, n, 1)
	return raw
}

// int gives an integer that is not negative.
func (p bplist) int(o plistRef) (int, bool) {
	tag, n, start, ok := p.at(o)
	if !ok || tag != tagInt || n > 3 {
		return 0, false
	}
	return p.number(start, 1<<n)
}

// real gives a number as a float, also where it was written as an integer.
func (p bplist) real(o plistRef) (float64, bool) {
	tag, n, start, ok := p.at(o)
	if !ok || tag != tagReal {
		i, ok := p.int(o)
		return float64(i), ok
	}
	switch n {
	case 2:
		if raw, ok := p.bytes(start, 4, 1); ok {
			return float64(math.Float32frombits(binary.BigEndian.Uint32(raw))), true
		}
	case 3:
		if raw, ok := p.bytes(start, 8, 1); ok {
			return math.Float64frombits(binary.BigEndian.Uint64(raw)), true
		}
	}
	return 0, false
}
