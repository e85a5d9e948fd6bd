package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy is the network between relays and cloud. It cuts and delays connections,
// holds one or both directions without a word, and repeats websocket frames: at once,
// or after later ones.
type proxy struct {
	listener net.Listener
	target   string
	wg       sync.WaitGroup
	closed   chan struct{}

	// quiet switches everything off.
	quiet atomic.Bool
	// repeated counts frames that were sent twice.
	repeated atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
	holes [2]chan struct{} // by direction: closed when the hole ends; nil for none
}

// Directions.
const (
	up   = 0 // from the relay to the cloud
	down = 1
)

// What happens to a frame, in thousandths.
const (
	repeatFrame = 30 // it is sent twice
	repeatLater = 30 // it is sent again after one to eight others
	delayFrame  = 20 // it and what is behind it waits
	longDelay   = 60 * time.Millisecond
)

func newProxy(target string) (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: ln, target: target, closed: make(chan struct{}), conns: make(map[net.Conn]bool)}
	p.wg.Go(p.accept)
	return p, nil
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) close() {
	close(p.closed)
	p.listener.Close()
	p.cut()
	p.wg.Wait()
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(conn) })
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// hole swallows what goes in some directions, for a while; then the connections end.
func (p *proxy) hole(directions []int, d time.Duration) {
	end := make(chan struct{})
	p.mu.Lock()
	for _, dir := range directions {
		p.holes[dir] = end
	}
	p.mu.Unlock()
	select {
	case <-time.After(d):
	case <-p.closed:
	}
	p.mu.Lock()
	p.holes = [2]chan struct{}{}
	p.mu.Unlock()
	p.cut()
	close(end)
}

// wait returns when nothing holds a direction, and false where the proxy has ended.
func (p *proxy) wait(direction int) bool {
	p.mu.Lock()
	hole := p.holes[direction]
	p.mu.Unlock()
	if hole == nil {
		return true
	}
	select {
	case <-hole:
		return true
	case <-p.closed:
		return false
	}
}

func (p *proxy) hold(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	c.Close()
}

// serve passes one connection on.
func (p *proxy) serve(client net.Conn) {
	p.hold(client)
	defer p.drop(client)
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	p.hold(server)
	defer p.drop(server)
	in, out := bufio.NewReader(client), bufio.NewReader(server)
	first, err := in.Peek(len(socketRequest))
	if err != nil {
		return
	}
	frames := bytes.Equal(first, []byte(socketRequest))
	var wg sync.WaitGroup
	wg.Go(func() { p.pump(server, in, up, frames); server.Close(); client.Close() })
	wg.Go(func() { p.pump(client, out, down, frames); server.Close(); client.Close() })
	wg.Wait()
}

// socketRequest begins the requests whose connection becomes a websocket.
const socketRequest = "GET /relay/v1/socket"

// pump passes one direction on until it ends.
func (p *proxy) pump(to io.Writer, from *bufio.Reader, direction int, frames bool) {
	if !frames {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if !p.wait(direction) {
				return
			}
			if _, werr := to.Write(buf[:n]); werr != nil || err != nil {
				return
			}
		}
	}
	if copyHeader(to, from) != nil {
		return
	}
	p.pumpFrames(to, from, direction)
}

// copyHeader passes the request or answer on that comes before the frames.
func copyHeader(to io.Writer, from *bufio.Reader) error {
	for {
		line, err := from.ReadBytes('\n')
		if err != nil {
			return err
		}
		if _, err := to.Write(line); err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			return nil
		}
	}
}

func (p *proxy) pumpFrames(to io.Writer, from *bufio.Reader, direction int) {
	var kept []byte // to be sent again
	var in int      // after how many others
	for {
		frame, text, err := readFrame(from)
		if err != nil || !p.wait(direction) {
			return
		}
		copies := 1
		if text && !p.quiet.Load() {
			if rand.N(1000) < delayFrame {
				time.Sleep(rand.N(longDelay))
			}
			switch n := rand.N(1000); {
			case n < repeatFrame:
				copies = 2
			case n < repeatFrame+repeatLater && kept == nil:
				kept, in = frame, 1+rand.N(8)
			}
		}
		for range copies {
			if _, err := to.Write(frame); err != nil {
				return
			}
		}
		p.repeated.Add(int64(copies - 1))
		if kept != nil && text {
			if in--; in < 0 {
				if _, err := to.Write(kept); err != nil {
					return
				}
				p.repeated.Add(1)
				kept = nil
			}
		}
	}
}

// maxFrame is beyond what either side sends.
const maxFrame = 4 << 20

// readFrame reads one websocket frame as it is (RFC 6455, 5.2), and tells whether it is a
// whole text message.
func readFrame(from *bufio.Reader) (frame []byte, text bool, err error) {
	head, err := from.Peek(2)
	if err != nil {
		return nil, false, err
	}
	text = head[0] == 0x81
	length, extra := uint64(head[1]&0x7f), 0
	switch length {
	case 126:
		extra = 2
	case 127:
		extra = 8
	}
	masked := head[1]&0x80 != 0
	if head, err = from.Peek(2 + extra); err != nil {
		return nil, false, err
	}
	switch extra {
	case 2:
		length = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		length = binary.BigEndian.Uint64(head[2:])
	}
	if length > maxFrame {
		return nil, false, errors.New("a frame is too long")
	}
	total := 2 + extra + int(length)
	if masked {
		total += 4
	}
	frame = make([]byte, total)
	_, err = io.ReadFull(from, frame)
	return frame, text, err
}
