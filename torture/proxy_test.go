package main

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

// Frames of every form of length come out as they went in.
func TestReadFrame(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
		text  bool
	}{
		{"short text", append([]byte{0x81, 5}, "hello"...), true},
		{"masked text", append([]byte{0x81, 0x80 | 5, 1, 2, 3, 4}, "hello"...), true},
		{"ping", []byte{0x89, 0}, false},
		{"close", []byte{0x88, 2, 3, 0xe8}, false},
		{"two bytes of length", append([]byte{0x81, 126, 1, 0}, make([]byte, 256)...), true},
		{"eight bytes of length", append([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4}, make([]byte, 65536)...), true},
		{"a part of a text", append([]byte{0x01, 5}, "hello"...), false},
	} {
		in := bufio.NewReader(bytes.NewReader(append(bytes.Clone(c.frame), 0x89, 0)))
		frame, text, err := readFrame(in)
		if err != nil || text != c.text || !bytes.Equal(frame, c.frame) {
			t.Errorf("%s: %d bytes, text %v, %v", c.name, len(frame), text, err)
		}
		if _, _, err := readFrame(in); err != nil {
			t.Errorf("%s: the next frame: %v", c.name, err)
		}
		if _, _, err := readFrame(in); err != io.EOF {
			t.Errorf("%s: after the end: %v", c.name, err)
		}
	}
}

// A frame that claims to be huge is refused before memory is taken for it.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{0x81, 5, 'h', 'e', 'l', 'l', 'o'})
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0x81, 126})
	f.Fuzz(func(t *testing.T, data []byte) {
		frame, _, err := readFrame(bufio.NewReader(bytes.NewReader(data)))
		if err == nil && !bytes.HasPrefix(data, frame) {
			t.Errorf("%x became %x", data, frame)
		}
	})
}
