package simulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// eventTimeout is how long Apple events wait for their answer by default.
const eventTimeout = 120 * time.Second

// errStranger is given where something else answers at the address.
var errStranger = errors.New("not answered by a simulated Messages")

// connection speaks HTTP to the Messages process over one socket, one request
// after the other. It has no pool and no retry: a request is written once.
type connection struct {
	conn   net.Conn
	reader *bufio.Reader
	addr   address
}

func connect(addr address, deadline time.Time) (*connection, error) {
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", addr.Addr)
	if err != nil {
		return nil, fmt.Errorf("reach simulated Messages: %w", err)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, errors.Join(fmt.Errorf("reach simulated Messages: %w", err), conn.Close())
	}
	return &connection{conn: conn, reader: bufio.NewReader(conn), addr: addr}, nil
}

func (c *connection) close() { c.conn.Close() }

func (c *connection) get(path string) (answer, error) { return c.do(http.MethodGet, path, nil) }

func (c *connection) post(path string, in any) (answer, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(in); err != nil {
		return answer{}, fmt.Errorf("encode request: %w", err)
	}
	return c.do(http.MethodPost, path, &body)
}

func (c *connection) do(method, path string, body io.Reader) (answer, error) {
	req, err := http.NewRequest(method, "http://"+c.addr.Addr+path, body)
	if err != nil {
		return answer{}, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set(secretHeader, c.addr.Secret)
	if err := req.Write(c.conn); err != nil {
		return answer{}, fmt.Errorf("write request: %w", err)
	}
	res, err := http.ReadResponse(c.reader, req)
	if err != nil {
		return answer{}, fmt.Errorf("read reply: %w", err)
	}
	defer res.Body.Close()
	if res.Header.Get("Content-Type") != "application/json" {
		return answer{}, errStranger
	}
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return answer{}, fmt.Errorf("decode reply: %w", err)
	}
	// What is left of the body must not be taken for the next reply.
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return answer{}, fmt.Errorf("read reply: %w", err)
	}
	return a, nil
}
