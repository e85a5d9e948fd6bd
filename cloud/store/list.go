package store

import (
	"cmp"
	"context"
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
	Text      string // words that all are in it, the last one as a beginning; see Words
	Asides    bool   // what stands beside messages too, see CreateAside

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

// way is the direction of the list, as SQL has it.
func (f MessageFilter) way() string {
	if f.Ascending {
		return "ASC"
	}
	return "DESC"
}

// Messages returns a page.
func (r reader) Messages(ctx context.Context, f MessageFilter) ([]Message, error) {
	l, err := r.listing(ctx, f)
	if err != nil || len(l.branches) == 0 {
		return nil, err
	}
	return r.page(ctx, l)
}

// Page returns a page and how many messages the list holds in all.
func (r reader) Page(ctx context.Context, f MessageFilter) (list []Message, total int64, err error) {
	l, err := r.listing(ctx, f)
	if err != nil || len(l.branches) == 0 {
		return nil, 0, err
	}
	if total, err = r.sum(ctx, l); err != nil || total <= int64(f.Offset) {
		return nil, total, err
	}
	list, err = r.page(ctx, l)
	return list, total, err
}

// fewOfParty tells whether a branch of one person or group is little enough to be taken
// whole and sorted. It is asked for only where no index has it in the order of the list.
func (r reader) fewOfParty(ctx context.Context, f MessageFilter, b branch) (bool, error) {
	column, who := "party", b.party
	if f.Group != "" {
		column, who = "peer", f.Group
	}
	if who == "" || f.Order == ByCreated || f.Text != "" {
		return false, nil
	}
	n, err := scanInt(r.stmts.row(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM messages WHERE account_id = $1 AND "+column+" = $2 LIMIT $3) AS theirs", f.AccountID, who, few+1))
	return n <= few, err
}

// page returns the page that a list asks for.
func (r reader) page(ctx context.Context, l listing) ([]Message, error) {
	f := l.filter
	if l.passesMany() {
		var err error
		if f, err = r.skipDays(ctx, l); err != nil {
			return nil, err
		}
	}
	return r.read(ctx, l, f)
}

// read reads the places of the page's messages from indexes alone, however many are
// passed over, and then the messages. f is the list's filter, or what skipDays has left of
// it.
func (r reader) read(ctx context.Context, l listing, f MessageFilter) ([]Message, error) {
	q := query{filter: f, calendar: l.calendar}
	if err := r.found(ctx, &q); err != nil {
		return nil, err
	}
	var parts []string
	for _, b := range l.branches {
		fewOfParty, err := r.fewOfParty(ctx, f, b)
		if err != nil {
			return nil, err
		}
		parts = append(parts, q.places(b, l.all, fewOfParty)...)
	}
	list, err := collect(ctx, r, scanMessage, "SELECT "+messageColumns+" FROM ("+strings.Join(parts, " UNION ALL ")+" ORDER BY k_at "+f.way()+", k_seq "+f.way()+
		" LIMIT "+q.place(f.Limit)+" OFFSET "+q.place(f.Offset)+") AS k CROSS JOIN messages AS m WHERE m.account_id = "+q.place(f.AccountID)+
		" AND m."+f.Order.column()+" = k_at AND m.seq = k_seq", q.args...)
	slices.SortFunc(list, func(a, b Message) int {
		if f.Ascending {
			a, b = b, a
		}
		return cmp.Or(cmp.Compare(f.Order.of(b), f.Order.of(a)), cmp.Compare(b.Seq, a.Seq))
	})
	return list, err
}
