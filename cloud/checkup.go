package cloud

import (
	"strings"
	"time"

	"bluerelay/cloud/store"
	"bluerelay/wire"
)

// heldDown makes what a relay says of its Mac small enough to be kept, and drops what has
// no name or no state.
func heldDown(c wire.Checkup) wire.Checkup {
	out := wire.Checkup{At: c.At}
	for _, one := range c.Checks[:min(len(c.Checks), wire.MaxChecks)] {
		switch one.State {
		case wire.CheckOK, wire.CheckWarn, wire.CheckFail, wire.CheckUnknown:
		default:
			continue // of a newer relay
		}
		if one.Name = cut(one.Name, wire.MaxCheckWord); one.Name == "" {
			continue
		}
		one.Next, one.Settings = cut(one.Next, wire.MaxCheckText), cut(one.Settings, wire.MaxCheckWord)
		facts := one.Evidence[:min(len(one.Evidence), wire.MaxEvidence)]
		one.Evidence = nil
		for _, fact := range facts {
			one.Evidence = append(one.Evidence, cut(fact, wire.MaxCheckWord))
		}
		out.Checks = append(out.Checks, one)
	}
	return out
}

// cut bounds a text that a relay gives.
func cut(s string, most int) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), most)], ""), "\x00", "")
}

// noteCheckup keeps what a relay has found, and has a person told of what has begun to
// fail. What Health tells as well is not told twice.
func (s *Service) noteCheckup(tx *store.Tx, relay store.Relay, found wire.Checkup, now time.Time) error {
	last, err := tx.Relay(tx.Context(), relay.ID)
	if err != nil {
		return err
	}
	before := failing(last.CheckupDone())
	found = heldDown(found)
	if err := tx.KeepCheckup(relay.ID, found, now.UnixMilli()); err != nil {
		return err
	}
	for _, one := range found.Checks {
		if one.State != wire.CheckFail || before[one.Name] || toldByHealth(one.Name) {
			continue
		}
		about := relay
		about.Reason = one.Next
		if err := s.tellRelay(tx, about, store.Event{Type: attentionEvent, Detail: one.Name}, now); err != nil {
			return err
		}
	}
	return nil
}

func failing(c wire.Checkup) map[string]bool {
	names := make(map[string]bool)
	for _, one := range c.Checks {
		if one.State == wire.CheckFail {
			names[one.Name] = true
		}
	}
	return names
}

// toldByHealth tells whether a relay that finds this failing also says so in Health. Those
// checks have the names of the problems; a chat.db of another kind is a problem with it.
func toldByHealth(name string) bool {
	switch wire.Problem(name) {
	case wire.ProblemChatDB, wire.ProblemAutomation, wire.ProblemMessages, wire.ProblemAccount, wire.ProblemDisk, wire.ProblemCredential, "schema":
		return true
	}
	return false
}
