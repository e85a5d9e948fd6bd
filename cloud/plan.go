package cloud

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bluerelay/cloud/store"
)

// selfHosted is the plan of a new account: it limits nothing but the requests a
// minute, so that a client always learns how many are left.
const selfHosted = "self_hosted"

// plans are the limits of each plan. The figures are those of Texting Blue's page of
// rate limits; what it calls "custom" or "unlimited" is none. Its pages give files and
// message.delivered to "Standard plan and higher", which its table does not have: here
// every plan that is paid for has them.
var plans = map[string]store.Limits{
	selfHosted:   {RequestsPerMinute: 1000},
	"free":       {RequestsPerMinute: 60, MessagesPerMinute: 5, MonthlyMessages: 100, Numbers: 1, Members: 1, NoMedia: true, NoReceipts: true},
	"starter":    {RequestsPerMinute: 300, MessagesPerMinute: 20, MonthlyMessages: 1000, Numbers: 2, Members: 3},
	"pro":        {RequestsPerMinute: 1000, MessagesPerMinute: 60, MonthlyMessages: 10_000, Numbers: 5, Members: 10},
	"enterprise": {RequestsPerMinute: 5000, MessagesPerMinute: 200},
}

// Plans are the names of the plans.
func Plans() []string { return slices.Sorted(maps.Keys(plans)) }

// SetPlan gives an account the limits of a plan, or leaves those it has with "", then
// lets change them one by one, and returns the account as it is then. What exceeds the
// new limits stays; only nothing is added.
func (s *Service) SetPlan(ctx context.Context, accountID, plan string, change func(*store.Limits)) (store.Account, error) {
	var a store.Account
	err := s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if a, err = tx.Account(tx.Context(), accountID); err != nil {
			return err
		}
		if plan != "" {
			limits, known := plans[plan]
			if !known {
				return fmt.Errorf("%q is no plan: choose among %s", plan, strings.Join(Plans(), ", "))
			}
			a.Plan, a.Limits = plan, limits
		}
		change(&a.Limits)
		return tx.UpdateAccount(a)
	})
	return a, err
}

// overPlan is the answer to what a plan does not include.
func overPlan(param, format string, args ...any) *Error {
	return &Error{Code: PlanLimitExceeded, Param: param, Message: fmt.Sprintf(format, args...)}
}

// withinPlan refuses a message that the account's plan does not include: a file, one
// more in the calendar month, one more in a minute, in this order.
func withinPlan(tx *store.Tx, a store.Account, out Outgoing, now time.Time) error {
	if out.MediaURL != "" && a.NoMedia {
		return overPlan("media_url", "Files are not part of this team's plan.")
	}
	if a.MonthlyMessages > 0 {
		n, err := tx.SentInMonth(tx.Context(), a.ID, now.UnixMilli())
		if err != nil {
			return err
		}
		if n >= a.MonthlyMessages {
			return overPlan("", "Monthly message limit reached")
		}
	}
	return withinMinute(tx, a, false, now)
}

// withinMinute refuses a message where the account has had as many as it may in the
// last 60 seconds. What was declined takes nothing from what may be sent; one that is to be
// declined counts with the others. It asks the table: a restart forgives nothing.
func withinMinute(tx *store.Tx, a store.Account, declined bool, now time.Time) error {
	if a.MessagesPerMinute == 0 {
		return nil
	}
	oldest, err := tx.NthOutbound(tx.Context(), a.ID, a.MessagesPerMinute, now.Add(-time.Minute).UnixMilli(), declined)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return tooFast(time.UnixMilli(oldest).Add(time.Minute).Sub(now))
}

// roomForNumber refuses a line, which tx has just made, that is one too many.
func roomForNumber(tx *store.Tx, accountID string) error {
	a, err := tx.Account(tx.Context(), accountID)
	if err != nil || a.Numbers == 0 {
		return err
	}
	lines, err := tx.Lines(tx.Context(), accountID)
	if err == nil && int64(len(lines)) > a.Numbers {
		return overPlan("", "This team's plan has room for %d phone numbers.", a.Numbers)
	}
	return err
}

// roomForMember refuses one more person in an account; open invitations but the one
// with the id answered count as people.
func roomForMember(tx *store.Tx, a store.Account, answered string, now time.Time) error {
	if a.Members == 0 {
		return nil
	}
	people, err := tx.Members(tx.Context(), a.ID)
	if err != nil {
		return err
	}
	open, err := tx.Invitations(tx.Context(), a.ID, now.UnixMilli())
	if err != nil {
		return err
	}
	open = slices.DeleteFunc(open, func(v store.Invitation) bool { return v.ID == answered })
	if int64(len(people)+len(open)) >= a.Members {
		return overPlan("", "This team's plan has room for %d members, open invitations included.", a.Members)
	}
	return nil
}

// receiptsEvent is what only some plans let webhooks ask for.
const receiptsEvent = "message.delivered"

// receiptsAllowed refuses a webhook that begins to ask for message.delivered where the
// plan does not include that; asked is what it has asked for before.
func receiptsAllowed(tx *store.Tx, w store.Webhook, asked []string) error {
	if !slices.Contains(w.Events, receiptsEvent) || slices.Contains(asked, receiptsEvent) {
		return nil
	}
	a, err := tx.Account(tx.Context(), w.AccountID)
	if err == nil && a.NoReceipts {
		return overPlan("events", "The event %s is not part of this team's plan.", receiptsEvent)
	}
	return err
}

// withheld tells whether the plan keeps an event from a webhook whose types are its vendor's
// to choose: nobody has asked for this one, so that nobody was refused.
func withheld(e store.Event, w store.Webhook) bool {
	return e.Type == receiptsEvent && w.Kind != "" && e.Account.NoReceipts
}
