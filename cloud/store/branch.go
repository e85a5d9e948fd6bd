package store

import (
	"context"
	"slices"
)

// branch is a part of a list: the messages of some classes, with one party where that is
// set. A list by sender has two where the sender is a line of the account, what that line
// sent and what came from it to another; most have one. No message is in two.
type branch struct {
	party   string
	classes []classCount
	every   bool // the classes are all that there are
}

// size is how many messages its classes have.
func (b branch) size() (n int64) {
	for _, c := range b.classes {
		n += c.n
	}
	return n
}

// listing is what is known of a list before any of its messages is looked for.
type listing struct {
	filter   MessageFilter
	branches []branch // none where nothing can be in it
	all      int64    // messages that the account has
	calendar *calendar
}

func (r reader) listing(ctx context.Context, f MessageFilter) (listing, error) {
	l := listing{filter: f}
	if f.Text != "" && len(Words(f.Text)) == 0 {
		return l, nil
	}
	var err error
	if l.calendar, err = r.calendar(ctx, f); err != nil || l.calendar != nil && l.calendar.days() == 0 {
		return l, err
	}
	l.branches, l.all, err = r.branches(ctx, f)
	return l, err
}

// branches are those of a list; all is how many messages the account has. A line's own
// number is never looked for among senders and recipients: its messages are those of its
// classes.
func (r reader) branches(ctx context.Context, f MessageFilter) (list []branch, all int64, err error) {
	totals, err := r.totals(ctx, f.AccountID)
	if err != nil {
		return nil, 0, err
	}
	lines, err := r.ordinals(ctx, f)
	if err != nil {
		return nil, 0, err
	}
	for _, t := range totals {
		all += t.n
		party, ok := f.partyIn(t.class, lines)
		if !ok {
			continue
		}
		i := slices.IndexFunc(list, func(b branch) bool { return b.party == party })
		if i < 0 {
			i, list = len(list), append(list, branch{party: party})
		}
		list[i].classes = append(list[i].classes, t)
	}
	for i, b := range list {
		list[i].every = len(b.classes) == len(totals)
	}
	return list, all, nil
}

// ordinals are those of the account's lines, in use or not, that have a number which the
// filter names, by that number.
func (r reader) ordinals(ctx context.Context, f MessageFilter) (map[string][]int64, error) {
	if f.From == "" && f.To == "" && f.Number == "" && f.Line == "" {
		return nil, nil
	}
	lines := make(map[string][]int64)
	_, err := collect(ctx, r, func(row scanner) (n int64, err error) {
		var number string
		if err = row.Scan(&number, &n); err == nil {
			lines[number] = append(lines[number], n)
		}
		return n, err
	}, "SELECT phone_number, ordinal FROM lines WHERE account_id = $1 AND phone_number IN ($2, $3, $4, $5)", f.AccountID, f.From, f.To, f.Number, f.Line)
	return lines, err
}

// partyIn is the party that messages of a class must have to be in the list, "" for any,
// and false where they cannot be in it.
func (f MessageFilter) partyIn(class int64, lines map[string][]int64) (party string, ok bool) {
	own := func(number string) bool { return slices.Contains(lines[number], class/classCodes) }
	// What went out is from the line and to the party; what came in, the other way round.
	us, party := f.From, f.To
	if class&classOutbound == 0 {
		us, party = party, us
	}
	if !f.holds(class) || f.Line != "" && !own(f.Line) || us != "" && !own(us) {
		return "", false
	}
	if f.Number == "" || own(f.Number) {
		return party, true
	}
	return f.Number, party == "" || party == f.Number
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
	case class&classAside != 0 && !f.Asides:
		return false
	case f.Direction != "" && f.Direction != direction, f.Type != "" && f.Type != kind, f.Group != "" && kind != TypeGroup:
		return false
	case f.Service != "" && f.Service != services[class&classService>>4]:
		return false
	}
	return len(f.Phases) == 0 || slices.Contains(f.Phases, phaseIn(class))
}
