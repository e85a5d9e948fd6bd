package cloud

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// Fingerprint is a hash of what a request says: its method, its path and its JSON
// body. Two requests that mean the same have the same fingerprint, however their
// bodies are written: the order of members, white space, escapes and the form of
// numbers do not count, and of a member that occurs twice the last one does, as for
// every reader in this program. An empty body is a body of its own.
func Fingerprint(method, path string, body []byte) (string, error) {
	c := canon{sha256.New()}
	c.text('m', method)
	c.text('p', path)
	if !utf8.Valid(body) { // what is replaced in it would look like something else
		return "", errors.New("read a body: it is not UTF-8")
	}
	if len(bytes.Trim(body, " \t\r\n")) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return "", fmt.Errorf("read a body: %w", err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return "", errors.New("read a body: there is something behind it")
		}
		c.value(v)
	}
	return hex.EncodeToString(c.sum.Sum(nil)), nil
}

// canon writes values to a hash so that different values differ: each begins with its
// kind and its length.
type canon struct{ sum hash.Hash }

func (c canon) text(kind byte, s string) {
	c.length(kind, len(s))
	_, _ = io.WriteString(c.sum, s) // a hash takes everything
}

func (c canon) length(kind byte, n int) {
	_, _ = c.sum.Write(binary.BigEndian.AppendUint64([]byte{kind}, uint64(n)))
}

func (c canon) value(v any) {
	switch v := v.(type) {
	case map[string]any:
		c.length('o', len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			c.text('s', name)
			c.value(v[name])
		}
	case []any:
		c.length('a', len(v))
		for _, one := range v {
			c.value(one)
		}
	case string:
		c.text('s', v)
	case json.Number:
		c.text('n', canonicalNumber(string(v)))
	case bool:
		c.text('b', fmt.Sprint(v))
	case nil:
		c.text('0', "")
	}
}

// canonicalNumber writes a JSON number by its value: digits that neither begin nor
// end with 0, and a power of ten. The number is never computed: its exponent may be
// larger than memory.
func canonicalNumber(s string) string {
	digits, negative := strings.CutPrefix(s, "-")
	exponent := new(big.Int)
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		exponent.SetString(strings.TrimPrefix(digits[i+1:], "+"), 10)
		digits = digits[:i]
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent.Sub(exponent, big.NewInt(int64(len(fraction))))
	short := strings.TrimRight(digits, "0")
	if short == "" {
		return "0"
	}
	exponent.Add(exponent, big.NewInt(int64(len(digits)-len(short))))
	if negative {
		short = "-" + short
	}
	return short + "e" + exponent.String()
}
