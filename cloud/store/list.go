package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Span is a stretch of time in Unix ms, both ends included; 0 leaves an end open.
type Span struct{ From, To int64 }

// Order is what a list is sorted by. Ties are broken by Seq.
type Order int

// The orders.
const (
	ByCreated Order = iota
	BySent          // by DatedAt
	ByUpdated
)

// MessageFilter says which messages a list holds, and in what order. All that is set
// must hold; empty members do not filter.
type MessageFilter struct {
	AccountID string
	Phases    []Phase // one of them
	Service   string  // wire.ServiceIMessage, ServiceSMS or ServiceRCS
	Direction string
	Type      string // TypeMessage or TypeGroup
	From      string // sender
	To        string // recipient; the chat guid for what went to a group
	Number    string // sender or recipient
	Line      string // phone number of one of the account's lines, in use or not
	Group     string // chat guid
	Created   Span
	Sent      Span // of DatedAt
	Updated   Span

	Order     Order
	Ascending bool
	// Before is the message after which the page begins, exclusive, in the order of the
	// list; nil for its beginning.
	Before *Message
	Offset int // messages to pass over
	Limit  int
}

// column is the one that an order sorts by.
func (o Order) column() string {
	switch o {
	case BySent:
		return "dated_at"
	case ByUpdated:
		return "updated_at"
	}
	return "created_at"
}

func (o Order) of(m Message) int64 {
	switch o {
	case BySent:
		return m.DatedAt
	case ByUpdated:
		return m.UpdatedAt
	}
	return m.CreatedAt
}

// Messages returns a page.
func (r reader) Messages(ctx context.Context, f MessageFilter) ([]Message, error) {
	w, err := r.where(ctx, f)
	if err != nil || w == nil {
		return nil, err
	}
	column, way, beyond := f.Order.column(), "DESC", "<"
	if f.Ascending {
		way, beyond = "ASC", ">"
	}
	if f.Before != nil {
		w.add("("+column+", seq) "+beyond+" (%s, %s)", f.Order.of(*f.Before), f.Before.Seq)
	}
	limit, offset := w.place(f.Limit), w.place(f.Offset)
	return collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM messages WHERE account_id = $1"+w.text.String()+
		" ORDER BY "+column+" "+way+", seq "+way+" LIMIT "+limit+" OFFSET "+offset, w.args...)
}

// Page returns a page and how many messages the list holds in all.
func (r reader) Page(ctx context.Context, f MessageFilter) (list []Message, total int64, err error) {
	if total, err = r.Total(ctx, f); err != nil || total <= int64(f.Offset) {
		return nil, total, err
	}
	list, err = r.Messages(ctx, f)
	return list, total, err
}

// Total counts what a list holds, whatever its page is.
func (r reader) Total(ctx context.Context, f MessageFilter) (n int64, err error) {
	w, err := r.where(ctx, f)
	if err != nil || w == nil {
		return 0, err
	}
	err = r.stmts.row(ctx, "SELECT COUNT(*) FROM messages WHERE account_id = $1"+w.text.String(), w.args...).Scan(&n)
	return n, err
}

// condition is the WHERE of a list.
type condition struct {
	text strings.Builder
	args []any
}

// place adds an argument and returns its placeholder.
func (c *condition) place(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

func (c *condition) add(clause string, values ...any) {
	places := make([]any, len(values))
	for i, v := range values {
		places[i] = c.place(v)
	}
	fmt.Fprintf(&c.text, " AND "+clause, places...)
}

// where is the condition of a list, nil where nothing can fulfil it.
func (r reader) where(ctx context.Context, f MessageFilter) (*condition, error) {
	totals, err := r.totals(ctx, f.AccountID)
	if err != nil {
		return nil, err
	}
	ordinals, err := r.ordinals(ctx, f.AccountID, f.Line)
	if err != nil {
		return nil, err
	}
	c := &condition{args: []any{f.AccountID}}
	var classes []any
	for _, t := range totals {
		if f.holds(t.class) && (f.Line == "" || slices.Contains(ordinals, t.class/classCodes)) {
			classes = append(classes, t.class)
		}
	}
	if len(classes) == 0 {
		return nil, nil
	}
	c.add("class IN ("+strings.TrimSuffix(strings.Repeat("%s, ", len(classes)), ", ")+")", classes...)
	for _, one := range []struct{ clause, value string }{
		{"from_addr = %s", f.From}, {"to_addr = %s", f.To}, {"peer = %s", f.Group},
	} {
		if one.value != "" {
			c.add(one.clause, one.value)
		}
	}
	if f.Number != "" {
		c.add("(from_addr = %s OR to_addr = %s)", f.Number, f.Number)
	}
	for _, one := range []struct {
		column string
		span   Span
	}{{"created_at", f.Created}, {"dated_at", f.Sent}, {"updated_at", f.Updated}} {
		if one.span.From != 0 {
			c.add(one.column+" >= %s", one.span.From)
		}
		if one.span.To != 0 {
			c.add(one.column+" <= %s", one.span.To)
		}
	}
	return c, nil
}

// holds tells whether messages of a class fulfil the part of a filter that a class can
// tell, but for its line.
func (f MessageFilter) holds(class int64) bool {
	direction, kind := Inbound, TypeMessage
	if class&classOutbound != 0 {
		direction = Outbound
	}
	if class&classGroup != 0 {
		kind = TypeGroup
	}
	switch {
	case f.Direction != "" && f.Direction != direction, f.Type != "" && f.Type != kind, f.Group != "" && kind != TypeGroup:
		return false
	case f.Service != "" && f.Service != services[class&classService>>4]:
		return false
	}
	return len(f.Phases) == 0 || slices.Contains(f.Phases, phaseIn(class))
}

// ordinals are those of an account's lines with a number, in use or not.
func (r reader) ordinals(ctx context.Context, accountID, number string) ([]int64, error) {
	if number == "" {
		return nil, nil
	}
	return collect(ctx, r, func(row scanner) (n int64, err error) {
		err = row.Scan(&n)
		return n, err
	}, "SELECT ordinal FROM lines WHERE account_id = $1 AND phone_number = $2", accountID, number)
}
