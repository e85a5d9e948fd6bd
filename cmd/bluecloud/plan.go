package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// planFlags are the plan of an account and its single limits, which count on top of
// the plan's.
type planFlags struct {
	plan            string
	numbers         map[string]*int64 // by flag
	media, receipts string
}

// limits are the flags that are numbers, 0 for none, with what they limit.
var limits = []struct {
	flag, usage string
	of          func(*store.Limits) *int64
}{
	{"requests-per-minute", "requests a minute for each key", func(l *store.Limits) *int64 { return &l.RequestsPerMinute }},
	{"messages-per-minute", "outbound messages in any minute", func(l *store.Limits) *int64 { return &l.MessagesPerMinute }},
	{"monthly-messages", "outbound messages a calendar month (UTC)", func(l *store.Limits) *int64 { return &l.MonthlyMessages }},
	{"numbers", "phone numbers", func(l *store.Limits) *int64 { return &l.Numbers }},
	{"members", "members of the team, open invitations included", func(l *store.Limits) *int64 { return &l.Members }},
}

func (f *planFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.plan, "plan", "", "all limits of a plan at once: "+strings.Join(cloud.Plans(), ", "))
	f.numbers = make(map[string]*int64, len(limits))
	for _, l := range limits {
		f.numbers[l.flag] = cmd.Flags().Int64(l.flag, 0, l.usage+"; 0 for no limit")
	}
	cmd.Flags().StringVar(&f.media, "media", "", "on or off: whether files may be sent")
	cmd.Flags().StringVar(&f.receipts, "receipts", "", "on or off: whether webhooks may ask for message.delivered")
}

func (f *planFlags) check() error {
	for _, n := range f.numbers {
		if *n < 0 {
			return cli.Usage("a limit must be 0, for none, or more")
		}
	}
	for _, s := range []string{f.media, f.receipts} {
		if s != "" && s != "on" && s != "off" {
			return cli.Usage("--media and --receipts are on or off")
		}
	}
	if f.plan != "" && !slices.Contains(cloud.Plans(), f.plan) {
		return cli.Usage("--plan must be one of %s", strings.Join(cloud.Plans(), ", "))
	}
	return nil
}

// change writes what was given on the command line.
func (f *planFlags) change(cmd *cobra.Command, to *store.Limits) {
	for _, l := range limits {
		if cmd.Flags().Changed(l.flag) {
			*l.of(to) = *f.numbers[l.flag]
		}
	}
	if f.media != "" {
		to.NoMedia = f.media == "off"
	}
	if f.receipts != "" {
		to.NoReceipts = f.receipts == "off"
	}
}

// limitsOf shows plan and limits to a script.
func limitsOf(v store.Account) map[string]any {
	out := map[string]any{"plan": v.Plan, "media": !v.NoMedia, "receipts": !v.NoReceipts}
	for _, l := range limits {
		out[strings.ReplaceAll(l.flag, "-", "_")] = *l.of(&v.Limits)
	}
	return out
}

// printLimits shows plan and limits to a person.
func printLimits(w io.Writer, v store.Account) {
	fmt.Fprintf(w, "%s has the plan %s:\n", v.ID, v.Plan)
	rows := make([][]any, len(limits))
	for i, l := range limits {
		var n any = "no limit"
		if *l.of(&v.Limits) != 0 {
			n = *l.of(&v.Limits)
		}
		rows[i] = []any{l.usage, n}
	}
	allowed := map[bool]string{false: "allowed", true: "not allowed"}
	table(w, "LIMIT\tIS", append(rows, []any{"files in sends", allowed[v.NoMedia]}, []any{"message.delivered for webhooks", allowed[v.NoReceipts]}))
}
