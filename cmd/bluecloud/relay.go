package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"bluerelay/cloud"
	"bluerelay/cloud/store"
	"bluerelay/wire"
)

func relayCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "relay", Short: "Relays: the Macs that are paired"}
	cmd.AddCommand(relayList(), relayRevoke())
	return cmd
}

func relayList() *cobra.Command {
	var a admin
	var account string
	cmd := &cobra.Command{
		Use: "list", Short: "List the Macs, their health and when they were last seen",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				list, err := d.store.Relays(ctx, account)
				if err != nil {
					return err
				}
				out := make([]map[string]any, len(list))
				rows := make([][]any, len(list))
				for i, r := range list {
					l, err := d.store.Line(ctx, r.LineID)
					if err != nil && !errors.Is(err, store.ErrNotFound) {
						return err
					}
					orphans, err := d.store.Orphans(ctx, r.ID)
					if err != nil {
						return err
					}
					out[i] = map[string]any{
						"relay_id": r.ID, "account_id": r.AccountID, "line_id": r.LineID, "phone_number": l.PhoneNumber, "host": r.Host, "os": r.OS, "version": r.Version,
						"connected": r.Connected, "ready": r.Ready, "problem": r.Problem, "reason": r.Reason, "alarms": r.Alarms, "orphan_reports": len(orphans), "last_seen_at": stamp(r.LastSeenAt),
						"checks": append([]wire.Check{}, r.CheckupDone().Checks...), "checked_at": stamp(r.CheckedAt),
					}
					rows[i] = []any{r.ID, l.PhoneNumber, r.Host, r.Version, health(r), r.Alarms, when(r.LastSeenAt)}
				}
				return d.print(map[string]any{"relays": out}, func(w io.Writer) {
					table(w, "RELAY\tNUMBER\tMAC\tVERSION\tHEALTH\tALARMS\tLAST SEEN", rows)
					for _, r := range list {
						printTroubles(w, r)
					}
				})
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&account, "account", "", "only of this account `ID`")
	return cmd
}

func health(r store.Relay) string {
	switch {
	case !r.Connected && r.Problem == cloud.ProblemAway:
		return r.Reason
	case !r.Connected:
		return "away"
	case r.Ready:
		return "ready"
	}
	return r.Reason
}

// printTroubles writes what a Mac found wrong when it last looked at its preconditions, the
// first to be mended first.
func printTroubles(w io.Writer, r store.Relay) {
	for _, c := range r.CheckupDone().Checks {
		if c.State == wire.CheckFail || c.State == wire.CheckWarn {
			fmt.Fprintf(w, "%s  %s (%s, found %s): %s\n", r.ID, strings.ReplaceAll(c.Name, "_", " "), c.State, when(r.CheckedAt), c.Next)
		}
	}
}

func relayRevoke() *cobra.Command {
	var a admin
	cmd := &cobra.Command{
		Use: "revoke RELAY", Short: "End a Mac's right to connect, also what is left of it to one that was replaced; what it holds becomes unknown", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				err := d.RevokeRelay(ctx, args[0])
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("there is no paired relay %q: see `bluecloud relay list`", args[0])
				}
				if err != nil {
					return err
				}
				return d.print(map[string]any{"relay_id": args[0], "revoked": true}, func(w io.Writer) { fmt.Fprintf(w, "%s is revoked.\n", args[0]) })
			})
		},
	}
	a.flags(cmd)
	return cmd
}
