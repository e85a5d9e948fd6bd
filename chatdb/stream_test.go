package chatdb_test

import "encoding/binary"

// The functions below write a typedstream in its plainest form: every class
// and encoding in full each time, nothing by reference. Readers must take that
// as well as what Apple writes.

func archived(root []byte) []byte {
	out := []byte("\x04\x0bstreamtyped\x81\xe8\x03")
	return append(append(out, "\x84\x01@"...), root...)
}

func tsInt(n int) []byte {
	if n >= -110 && n < 128 {
		return []byte{byte(n)}
	}
	if n >= -1<<15 && n < 1<<15 {
		return binary.LittleEndian.AppendUint16([]byte{0x81}, uint16(n))
	}
	return binary.LittleEndian.AppendUint32([]byte{0x82}, uint32(n))
}

func tsShared(s string) []byte { return append(append([]byte{0x84}, tsInt(len(s))...), s...) }

// tsObject writes an instance of the last class of chain.
func tsObject(chain []string, groups ...[]byte) []byte {
	out := []byte{0x84}
	for _, name := range chain {
		out = append(append(append(out, 0x84), tsShared(name)...), 0)
	}
	out = append(out, 0x85)
	for _, g := range groups {
		out = append(out, g...)
	}
	return append(out, 0x86)
}

func tsGroup(encoding string, values ...[]byte) []byte {
	out := tsShared(encoding)
	for _, v := range values {
		out = append(out, v...)
	}
	return out
}

func tsString(s string) []byte {
	return tsObject([]string{"NSString", "NSObject"}, tsGroup("+", tsInt(len(s)), []byte(s)))
}

func tsNumber(n int) []byte {
	return tsObject([]string{"NSNumber", "NSValue", "NSObject"},
		tsGroup("*", []byte{0x84}, tsShared("q")), tsGroup("q", tsInt(n)))
}

func tsMap(pairs ...[]byte) []byte {
	groups := [][]byte{tsGroup("i", tsInt(len(pairs)/2))}
	for _, p := range pairs {
		groups = append(groups, tsGroup("@", p))
	}
	return tsObject([]string{"NSDictionary", "NSObject"}, groups...)
}

// run is one run of an attributed string in a test.
type run struct {
	units int
	attrs []byte // a dictionary; nil repeats the one before
}

func attributed(text string, runs ...run) []byte {
	groups := [][]byte{tsGroup("@", tsString(text))}
	number := 0
	for _, r := range runs {
		if r.attrs == nil {
			groups = append(groups, tsGroup("iI", tsInt(number), tsInt(r.units)))
			continue
		}
		number++
		groups = append(groups, tsGroup("iI", tsInt(number), tsInt(r.units)), tsGroup("@", r.attrs))
	}
	return archived(tsObject([]string{"NSMutableAttributedString", "NSAttributedString", "NSObject"}, groups...))
}

func part(n int, more ...[]byte) []byte {
	return tsMap(append([][]byte{tsString("__kIMMessagePartAttributeName"), tsNumber(n)}, more...)...)
}

// plainBody is the attributedBody of an ordinary ASCII message.
func plainBody(text string) []byte { return attributed(text, run{len(text), part(0)}) }

// fileBody is the attributedBody of a message that is one attachment.
func fileBody(guid string) []byte {
	return attributed("\uFFFC", run{1, part(0, tsString("__kIMFileTransferGUIDAttributeName"), tsString(guid))})
}
