package cloud

import (
	"cmp"
	"slices"
	"strings"

	"bluerelay/cloud/store"
	"bluerelay/fault"
	"bluerelay/wire"
)

// services are what a message may be sent by; the first is the default.
var services = []string{wire.ServiceAuto, wire.ServiceIMessage, wire.ServiceSMS, wire.ServiceRCS}

// bySatellite is what Messages calls iMessage that goes by satellite.
const bySatellite = "iMessageLite"

// plainService is the service that a row names, as the public APIs know it: Messages
// itself compares it without case. One that nobody knows stays what it is.
func plainService(s string) string {
	for _, known := range services[1:] {
		if strings.EqualFold(s, known) {
			return known
		}
	}
	if strings.EqualFold(s, bySatellite) {
		return wire.ServiceIMessage
	}
	return s
}

// asked is the service that a relay is asked for.
func asked(m store.Message) string {
	if m.Fallback {
		return wire.ServiceSMS
	}
	return cmp.Or(m.Requested, wire.ServiceAuto)
}

// shown is the service of a message of which no row is known yet.
func shown(requested string) string {
	if requested == wire.ServiceAuto {
		return wire.ServiceIMessage
	}
	return requested
}

// fallsBack tells whether a report makes its message go by SMS: the line allows it, the
// sender has chosen no service, a number is to get a text and nothing else, and it is
// certain that the attempt has reached nobody.
func fallsBack(line store.Line, m store.Message, install string, r wire.Report) bool {
	if !line.SMSFallback || m.Fallback || m.Requested != wire.ServiceAuto || m.MediaURL != "" || !strings.HasPrefix(m.To, "+") || m.ToGroup() {
		return false
	}
	if !open(m) || m.CancelRequested != 0 || m.InstallID != install || m.Attempt != r.Attempt || r.Fault == nil {
		return false
	}
	switch r.Kind {
	case wire.Failed:
		return r.Fault.Number >= wire.FirstNotReached && r.Fault.Number <= wire.LastNotReached
	case wire.NoSend:
		// Again: Messages does not list the chat, and the next attempt names the person.
		return !r.Again && slices.Contains([]string{"no_such_target", "no_such_service"}, r.Fault.Code)
	}
	return false
}

// fallBack puts a message back to wait for an attempt by SMS. The row of the one that
// has failed is not bound to it: the next attempt has its own. As Messages may still
// send that row by itself, and only its own Mac sees that, the next attempt is that
// Mac's too.
func (s *Service) fallBack(tx *store.Tx, step store.Step, install string, r wire.Report) error {
	step.To, step.InstallID, step.Attempt = wire.Queued, install, r.Attempt
	step.Unbound, step.AppleGUID, step.Service = step.AppleGUID, "", ""
	if err := s.advance(tx, step); err != nil {
		return err
	}
	defer fault.Before(fault.CloudFallback)
	tx.OnCommit(func() { fault.After(fault.CloudFallback) })
	if r.Kind != wire.Failed {
		install = "" // there is no row
	}
	return tx.FallBack(step.ID, install)
}
