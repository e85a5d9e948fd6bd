package cloud

import (
	"cmp"
	"net/mail"
	"slices"
	"strings"
	"unicode"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// maxAddress is the length of an e-mail address in bytes (RFC 5321, 4.5.3.1.3).
const maxAddress = 254

// lowerAddress writes an e-mail address as Messages does; anything else stays.
func lowerAddress(to string) string {
	if strings.Contains(to, "@") {
		return strings.ToLower(to)
	}
	return to
}

// validAddress tells whether s is an e-mail address that a person may have: no name, no
// quotes, a domain with a dot.
func validAddress(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	if len(s) > maxAddress || local == "" || !strings.Contains(strings.Trim(domain, "."), ".") || strings.Contains(domain, "@") {
		return false
	}
	if strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`"<>()[],;:\`, r)
	}) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// checkTarget refuses whom nothing can be sent to, and a service that does not reach
// whom it is to reach.
func (o Outgoing) checkTarget() error {
	service := cmp.Or(o.Service, wire.ServiceAuto)
	if !slices.Contains(services, service) {
		return Invalid("service", "The 'service' field must be one of %s.", strings.Join(services, ", "))
	}
	switch {
	case o.Group != "" && o.To != "":
		return Invalid("group_id", "Give 'to' or 'group_id', not both.")
	case o.Group != "" && service != wire.ServiceAuto:
		return Invalid("service", "A group has a service of its own: leave 'service' out.")
	case o.Group != "":
		return nil
	case !strings.Contains(o.To, "@"):
		return checkRecipient(o.To)
	case !validAddress(o.To):
		return Invalid("to", "The 'to' field must be a valid E.164 phone number or e-mail address.")
	case service == wire.ServiceSMS || service == wire.ServiceRCS:
		return Invalid("service", "SMS and RCS reach phone numbers only.")
	}
	return nil
}

// checkGroup refuses a group that the line has never heard of: a conversation's guid
// is read from Messages, never made up.
func (o Outgoing) checkGroup(tx *store.Tx, line store.Line) error {
	if o.Group == "" {
		return nil
	}
	known, err := tx.HasGroup(tx.Context(), line.ID, o.Group)
	if err == nil && !known {
		return Invalid("group_id", "The 'group_id' is not a group that this number has had messages in.")
	}
	return err
}

// again is a message to be sent once more, as it was ordered.
func again(m store.Message, how Resending) Outgoing {
	out := Outgoing{
		From: m.From, To: m.To, Content: m.Content, Service: m.Requested, MediaURL: m.MediaURL, MaxMedia: how.MaxMedia,
		ExpiresAt: how.ExpiresAt, resendOf: m.ID,
	}
	if m.ToGroup() {
		out.To, out.Group = "", m.ChatGUID
	}
	if m.MediaURL != "" {
		out.fileOf = m.ID
	}
	return out
}
