package power_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"bluerelay/wire"
)

// said is what a program had acknowledged by an instant of its record.
type said struct {
	commands int            // of the shell's, that have ended well
	accepted []string       // messages that were answered with 202
	orders   map[string]int // attempts that were ordered, by message
	acked    int64          // reports that were acknowledged
	reported int64          // reports that were made
	ran      map[string]int // how often osascript was started, by text
	uploaded int            // files whose end was acknowledged
	install  string         // of the journal
	// reports are all that the Mac has made by the end of the run of which this is the
	// server's side, or by this instant of the Mac's.
	reports map[int64]wire.Report
	streams map[string]*stream
}

// newSaid begins to listen to one machine of a run.
func newSaid(r *record) *said {
	return &said{orders: make(map[string]int), ran: make(map[string]int), reports: r.reports, streams: make(map[string]*stream)}
}

// clone is what had been said until now.
func (s *said) clone() *said {
	now := *s
	now.orders, now.ran, now.reports, now.streams = maps.Clone(s.orders), maps.Clone(s.ran), maps.Clone(s.reports), nil
	now.accepted = slices.Clone(s.accepted)
	return &now
}

// hear takes a call.
func (s *said) hear(c call) {
	switch {
	case c.endsCommand():
		s.commands++
	case c.verb == runs && strings.HasSuffix(c.argv[0], "osascript") && len(c.argv) == 9:
		s.ran[c.argv[8]]++
	case c.verb == says:
		at := s.streams[c.path]
		if at == nil {
			at = new(stream)
			s.streams[c.path] = at
		}
		s.answer(c.data)
		for _, f := range at.frames(c.data) {
			s.frame(f)
		}
	}
}

// endsCommand tells whether the shell says that a program has ended well.
func (c call) endsCommand() bool {
	return c.verb == writes && strings.HasPrefix(c.path, "pipe:") && string(c.data) == "000"
}

// answer notes a message that was accepted. The answer is one write.
func (s *said) answer(data []byte) {
	if bytes.HasPrefix(data, []byte("HTTP/1.1 201 ")) {
		s.uploaded++
	}
	if !bytes.HasPrefix(data, []byte("HTTP/1.1 202 ")) {
		return
	}
	_, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	var m message
	if json.Unmarshal(body, &m) == nil && m.ID != "" {
		s.accepted = append(s.accepted, m.ID)
	}
}

func (s *said) frame(data []byte) {
	f, err := wire.Decode(data)
	if err != nil {
		return
	}
	switch f.Type {
	case wire.TypeHello:
		s.install = f.Hello.Install
	case wire.TypeWelcome:
		s.acked = max(s.acked, f.Welcome.Acked)
	case wire.TypeAck:
		s.acked = max(s.acked, f.Ack.Seq)
	case wire.TypeSend:
		s.orders[f.Send.Message] = max(s.orders[f.Send.Message], f.Send.Attempt)
	case wire.TypeReport:
		s.reported = max(s.reported, f.Report.Seq)
		s.reports[f.Report.Seq] = *f.Report
	}
}

// stream is what one side has written to a socket; once it is a websocket, in frames.
type stream struct {
	upgraded bool
	rest     []byte
	text     []byte // of a message in several frames
}

// frames returns the messages that data completes.
func (s *stream) frames(data []byte) (list [][]byte) {
	if !s.upgraded {
		s.upgraded = bytes.HasPrefix(data, []byte("HTTP/1.1 101 ")) || bytes.HasPrefix(data, []byte("GET /relay/v1/socket"))
		return nil
	}
	s.rest = append(s.rest, data...)
	for {
		op, fin, payload, n := cutFrame(s.rest)
		if n == 0 {
			return list
		}
		s.rest = s.rest[n:]
		if op > 2 {
			continue // ping, pong, close
		}
		s.text = append(s.text, payload...)
		if fin {
			list = append(list, s.text)
			s.text = nil
		}
	}
}

// cutFrame reads one frame of RFC 6455; n is its length, 0 while it is not whole.
func cutFrame(data []byte) (op byte, fin bool, payload []byte, n int) {
	if len(data) < 2 {
		return 0, false, nil, 0
	}
	size, at := uint64(data[1]&127), 2
	switch size {
	case 126:
		at += 2
		if len(data) >= at {
			size = uint64(binary.BigEndian.Uint16(data[2:]))
		}
	case 127:
		at += 8
		if len(data) >= at {
			size = binary.BigEndian.Uint64(data[2:])
		}
	}
	var mask [4]byte
	if data[1]&128 != 0 {
		if len(data) >= at+4 {
			copy(mask[:], data[at:])
		}
		at += 4
	}
	n = at + int(size)
	if len(data) < n {
		return 0, false, nil, 0
	}
	payload = bytes.Clone(data[at:n])
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return data[0] & 15, data[0]&128 != 0, payload, n
}
