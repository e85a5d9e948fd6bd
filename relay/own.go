package relay

import (
	"context"
	"slices"
	"strings"

	"bluerelay/chatdb"
)

// ownAddresses are the owner's numbers and addresses of e-mail as far as they are known,
// in lower case. Only own rows are believed: what came in may name anybody.
type ownAddresses map[string]bool

// maxOwn bounds them. An account has a dozen at most.
const maxOwn = 100

func (own ownAddresses) add(addresses ...string) {
	for _, a := range addresses {
		if a != "" && len(own) < maxOwn {
			own[strings.ToLower(a)] = true
		}
	}
}

// note learns from an own row.
func (own ownAddresses) note(m chatdb.Message) {
	if m.FromMe {
		own.add(ownOf(m)...)
	}
}

// ownOf are the owner's addresses that a row names: the one it went out from, or came in
// on, and the account's, which is E:ADDRESS or P:NUMBER.
func ownOf(m chatdb.Message) []string {
	return []string{m.Caller, strings.TrimPrefix(strings.TrimPrefix(m.Account, "E:"), "P:")}
}

// learnOwn begins with the number of the line and with what the last rows say.
func (o *observer) learnOwn(ctx context.Context) error {
	o.own = make(ownAddresses)
	o.own.add(o.credential.Line)
	rows, err := o.db.Before(ctx, o.cursor.RowID+1, batch)
	for _, m := range rows {
		o.own.note(m)
	}
	return err
}

// toOneself tells a note that the owner wrote to himself: the other party is one of
// his own addresses.
func (o *observer) toOneself(m chatdb.Message) bool {
	own := func(address string) bool {
		return address != "" && (o.own[strings.ToLower(address)] || slices.ContainsFunc(ownOf(m), func(a string) bool { return sameHandle(a, address) }))
	}
	return own(m.Handle) || m.Chat != nil && !m.Chat.Group() && own(m.Chat.Identifier)
}
