package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The time in which a broken rule must be noticed, apart from the time to build.
const (
	brokenTime  = 3 * time.Minute
	brokenRound = 8 * time.Second
)

// rules are the rules of the product that keep its promises, each with the change that
// breaks it and the violations that it must lead to. A change must still compile, and a test sees to it that it fits the source.
func rules() []rule {
	return []rule{
		{
			name: "ack-before-commit", breaks: "the cloud acknowledges reports before they are on disk, and the relay deletes them then",
			shows: []string{"lost"},
			changes: []edit{
				{"cloud/work.go", "	var empty bool\n	err = s.store.Write(", "	var empty bool\n	if n := len(reports); n > 0 {\n		_ = s.write(wire.Frame{Type: wire.TypeAck, Ack: &wire.Ack{Seq: reports[n-1].Seq}})\n		time.Sleep(2 * time.Millisecond)\n		fault.Hit(fault.CloudAck)\n	}\n	err = s.store.Write("},
				{"relay/outbox.go", "	keptReports = 20_000", "	keptReports = 0"},
				{"relay/link.go", "now.Sub(tidied) > tidyEvery", "now.Sub(tidied) > 0"},
			},
			load: shape{only: []string{"cloud.ack", "cloud.apply.before"}},
		},
		{
			name: "answer-before-commit", breaks: "a request is answered before its message is on disk",
			shows: []string{"lost"},
			changes: []edit{
				{"cloud/store/write.go", "	return err\n}\n\n// Try", "	if err == nil && j.err == nil {\n		j.done <- nil\n		time.Sleep(2 * time.Millisecond)\n	}\n	return err\n}\n\n// Try"},
				{"cloud/store/write.go", "			j.done <- nil\n		}\n	}\n	return waiting\n", "			select {\n			case j.done <- nil:\n			default:\n			}\n		}\n	}\n	return waiting\n"},
				{"cloud/store/write.go", "			j.done <- fmt.Errorf(\"commit: %w\", explain(err))", "			select {\n			case j.done <- fmt.Errorf(\"commit: %w\", explain(err)):\n			default:\n			}"},
			},
			load: shape{only: []string{"cloud.create", "cloud.apply"}},
		},
		{
			name: "armed-after", breaks: "osascript is started before the journal knows that it will be",
			shows: []string{"doubled", "false", "unknown"},
			changes: []edit{
				{"relay/sender.go", "	err = s.journal.arm(ctx, one, mark, req, time.Now())", "	_, _ = s.script.Send(ctx, one.runID(), one.run+1, req)\n	err = s.journal.arm(ctx, one, mark, req, time.Now())"},
			},
			load: shape{only: []string{"relay.arm", "shim."}},
		},
		{
			name: "lock-not-held", breaks: "the shim and osascript do not hold the run's lock",
			shows: []string{"doubled"},
			changes: []edit{
				{"applescript/shim.go", "	fault.About(o.ID)\n", "	fault.About(o.ID)\n	release(lock)\n"},
				{"applescript/shim.go", "	outcome := o.carryOut(lock)", "	lock, _ = os.Open(os.DevNull)\n	outcome := o.carryOut(lock)"},
			},
			load: shape{only: []string{"shim.start"}, stops: []string{"shim.order"}},
		},
		{
			name: "lease", breaks: "a message that its relay has held for a while is given to be sent again",
			shows: []string{"doubled"},
			changes: []edit{
				{"cloud/store/assign.go", "status IN ('queued', 'accepted', 'sending') AND install_id IS NULL AND awaits_media = 0", "status IN ('queued', 'accepted', 'sending') AND (install_id IS NULL OR updated_at < $2 - 40) AND awaits_media = 0"},
				{"relay/orders.go", "(allNoSend(rows) && !final(rows[0].fault) || fallsBack(o, rows))", "true"},
			},
		},
		{
			name: "replaced-requeued", breaks: "what a replaced Mac holds goes to the next one",
			shows: []string{"doubled"},
			changes: []edit{
				{"cloud/event.go", "ID: m.ID, To: wire.StatusUnknown, At: now.UnixMilli(), Now: now.UnixMilli(),\n			ErrorCode: OutcomeUnknown, ErrorMessage: \"The Mac", "ID: m.ID, To: wire.Queued, At: now.UnixMilli(), Now: now.UnixMilli(),\n			ErrorCode: OutcomeUnknown, ErrorMessage: \"The Mac"},
			},
			load: shape{swaps: true},
		},
		{
			name: "timeout-repeated", breaks: "an Apple event that timed out (-1712) counts as never sent",
			shows: []string{"doubled"},
			changes: []edit{
				{"applescript/outcome.go", "	if said.dispatched {\n", "	if said.dispatched && said.number != -1712 {\n"},
			},
			load: shape{only: []string{"shim.start"}, slow: true},
		},
		{
			name: "killed-repeated", breaks: "an osascript that was killed counts as never run",
			shows: []string{"doubled"},
			changes: []edit{
				{"applescript/sender.go", "	if marked {\n		return Outcome{Effect: MayHave, Reason: Interrupted}\n	}\n	return Outcome{Effect: NoEffect", "	_ = marked\n	return Outcome{Effect: NoEffect"},
				{"applescript/outcome.go", "	case e.code < 0:\n		o.Reason = Interrupted", "	case e.code < 0:\n		o.Effect, o.Reason = NoEffect, Interrupted"},
			},
			load: shape{only: []string{"shim.run", "shim.ended", "shim.result.before"}},
		},
		{
			name: "journal-forgets", breaks: "an order that the journal knows is carried out again",
			shows: []string{"doubled"},
			changes: []edit{
				{"relay/orders.go", "			return answerKnown(ctx, tx, o.Message, o.Attempt, now)\n		case o.Attempt > rows[0].attempt", "			_, err = tx.ExecContext(ctx, \"UPDATE sends SET state = 'received', text = ?, guid = NULL WHERE message = ?\", o.Text, o.Message)\n		case o.Attempt > rows[0].attempt"},
			},
		},
		{
			name: "old-journal-trusted", breaks: "a journal that went back in time is believed",
			shows: []string{"doubled", "lost", "false", "stuck"},
			changes: []edit{
				{"cloud/admit.go", "		if h.JournalHigh < in.LastSeq {", "		if h.JournalHigh < 0 {"},
				{"relay/outbox.go", "	return own.String == token || !own.Valid && !older, nil", "	return true, nil"},
			},
			load: shape{swaps: true, old: true},
		},
		{
			name: "cursor-first", breaks: "the cursor passes a row before the row's report is on disk",
			shows: []string{"lost"},
			changes: []edit{
				{"relay/scan.go", "	point := fault.RelayInbound\n", "	if err := o.journal.setCursor(ctx, next); err != nil {\n		return err\n	}\n	point := fault.RelayInbound\n"},
			},
			load: shape{only: []string{"relay.mark.after", "relay.inbound.before"}},
		},
		{
			name: "any-row-counts", breaks: "a row of another text is taken for the message's own",
			shows: []string{"false"},
			changes: []edit{
				{"relay/match.go", "wire.SameText(s.text, m.Text)", "true || wire.SameText(s.text, m.Text)"},
			},
			load: shape{silent: true},
		},
		{
			name: "success-believed", breaks: "osascript's exit code 0 counts as sent",
			shows: []string{"false"},
			changes: []edit{
				{"relay/sends.go", "now.UnixMilli(), s.message, s.part, s.attempt, stateObserved)\n		}\n", "now.UnixMilli(), s.message, s.part, s.attempt, stateObserved)\n		}\n		if err == nil && why.Number == 0 {\n			err = addReport(ctx, tx, wire.Report{Kind: wire.Sent, At: now.UnixMilli(), Message: s.message, Attempt: s.attempt}, now)\n		}\n"},
			},
			load: shape{silent: true},
		},
		{
			name: "webhook-apart", breaks: "an event's deliveries are written after the event's own commit",
			shows: []string{"webhook"},
			changes: []edit{
				{"cloud/event.go", "		if err := tx.CreateDelivery(newDelivery(e, w, bodies[w.Dialect])); err != nil {\n			return fmt.Errorf(\"record a delivery: %w\", err)\n		}\n", "		one := newDelivery(e, w, bodies[w.Dialect])\n		tx.OnCommit(func() {\n			go func() {\n				_ = s.store.Write(s.base, func(tx *store.Tx) error { return tx.CreateDelivery(one) })\n			}()\n		})\n"},
			},
			load: shape{only: []string{"cloud.apply.after", "cloud.ack"}},
		},
		{
			name: "key-forgotten", breaks: "a request that comes again makes another message",
			shows: []string{"doubled"},
			changes: []edit{
				{"cloud/once.go", "	return &Replay{Status: a.Status, Body: []byte(a.Body)}\n}\n\n// repeated", "	return nil\n}\n\n// repeated"},
				{"cloud/once.go", "	return tx.Remember(store.Remembered{", "	_ = tx.Try(func() error { return tx.Remember(store.Remembered{"},
				{"cloud/once.go", "Body: string(body), CreatedAt: now.UnixMilli(),\n	})\n", "Body: string(body), CreatedAt: now.UnixMilli(),\n	}) })\n	return nil\n"},
			},
			load: shape{only: []string{"cloud.create.after"}},
		},
	}
}

// breakRules checks the harness: each broken rule must be noticed. It returns false
// where one is not.
func breakRules(ctx context.Context, o options, dir string) (bool, error) {
	list := rules()
	if o.broken != "all" {
		var chosen []rule
		for name := range strings.SplitSeq(o.broken, ",") {
			i := slices.IndexFunc(list, func(r rule) bool { return r.name == name })
			if i < 0 {
				return false, fmt.Errorf("there is no rule %q", name)
			}
			chosen = append(chosen, list[i])
		}
		list = chosen
	}
	noticed := 0
	for _, r := range list {
		fmt.Fprintf(os.Stdout, "broken     %-22s %s\n", r.name, r.breaks)
		v, took, err := r.notice(ctx, o, filepath.Join(dir, r.name))
		if err != nil {
			return false, fmt.Errorf("%s: %w", r.name, err)
		}
		if v == nil {
			fmt.Fprintf(os.Stdout, "           NOT NOTICED within %.0f s\n", took.Seconds())
			continue
		}
		noticed++
		fmt.Fprintf(os.Stdout, "           noticed after %.0f s: %s: %s\n", took.Seconds(), v.Rule, v.Detail)
	}
	fmt.Fprintf(os.Stdout, "%d of %d broken rules were noticed\n", noticed, len(list))
	return noticed == len(list), nil
}

// notice runs rounds with a broken rule until there is a violation, or its time is
// over.
func (r rule) notice(ctx context.Context, o options, dir string) (*violation, time.Duration, error) {
	bin, err := build(ctx, o.source, filepath.Join(dir, "bin"), &r)
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	places, err := bin.places(ctx)
	if err != nil {
		return nil, 0, err
	}
	total := newTally(o, places)
	total.shape = r.load
	total.shape.hasty = true
	began := time.Now()
	for ctx.Err() == nil && time.Since(began) < brokenTime {
		one, err := newRound(o, bin, filepath.Join(dir, fmt.Sprintf("round%d", total.Rounds)), total, brokenRound)
		if err == nil {
			err = one.run(ctx, func() {})
		}
		// Another violation may be one of haste: a round is not given long to come to rest.
		if i := slices.IndexFunc(total.Violations, func(v violation) bool { return slices.Contains(r.shows, v.Rule) }); i >= 0 {
			return &total.Violations[i], time.Since(began), nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return nil, time.Since(began), ctx.Err()
}
