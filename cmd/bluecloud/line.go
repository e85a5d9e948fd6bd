package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

func lineCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "line", Short: "Lines: the numbers that are sent from, each through one Mac"}
	cmd.AddCommand(lineAdd(), lineList(), lineSet(), lineRemove(), linePair())
	return cmd
}

func lineAdd() *cobra.Command {
	var a admin
	var account string
	var set lineFlags
	cmd := &cobra.Command{
		Use: "add NUMBER --account ID", Short: "Add a number and show the setup URL for its Mac", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if account == "" {
				return cli.Usage("--account is needed: see `bluecloud account list`")
			}
			c, err := set.change(cmd)
			if err != nil {
				return err
			}
			return a.run(cmd, func(ctx context.Context, d desk) error {
				if _, err := d.as(ctx, account); err != nil {
					return err
				}
				l, err := d.AddLine(ctx, account, args[0], c, true)
				if err != nil {
					return err
				}
				return d.pair(ctx, l, false)
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&account, "account", "", "account `ID`")
	set.flags(cmd)
	return cmd
}

// lineFlags are the settings of a line that both add and set take.
type lineFlags struct {
	pace, newConversations string
	fallback, canary       string
	burst                  int
}

func (f *lineFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.pace, "pace", "", "off, or messages a second; empty for what its Mac calls for: 1 for a real one, off otherwise")
	cmd.Flags().IntVar(&f.burst, "burst", 0, "messages that may go at once after a rest; 0 for what its Mac calls for, which is 5")
	cmd.Flags().StringVar(&f.newConversations, "new-conversations", "", "off, or how many may be begun in 24 hours; empty for what its Mac calls for: 50 for a real one, off otherwise")
	cmd.Flags().StringVar(&f.canary, "canary", "off", "daily: its Mac proves once a day, by a message to its own number, that it sends; off: nobody looks")
	cmd.Flags().StringVar(&f.fallback, "sms-fallback", "off", "on: a text that proves not to reach a number by iMessage goes by SMS; off: it fails")
}

// change holds what was given on the command line.
func (f *lineFlags) change(cmd *cobra.Command) (c cloud.LineChange, err error) {
	given := cmd.Flags().Changed
	if given("pace") {
		c.Pace = &f.pace
	}
	if given("burst") {
		c.Burst = &f.burst
	}
	if given("new-conversations") {
		c.NewConversations = &f.newConversations
	}
	switch {
	case !given("canary"):
	case f.canary == "daily" || f.canary == "off":
		c.Canary = new(f.canary == "daily")
	default:
		return c, cli.Usage("--canary is daily or off")
	}
	switch {
	case !given("sms-fallback"):
	case f.fallback == "on" || f.fallback == "off":
		c.SMSFallback = new(f.fallback == "on")
	default:
		return c, cli.Usage("--sms-fallback is on or off")
	}
	return c, nil
}

func linePair() *cobra.Command {
	var a admin
	var replace bool
	cmd := &cobra.Command{
		Use: "pair NUMBER", Short: "Show a new setup URL for a line", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				l, err := d.lineByNumber(ctx, args[0])
				if err != nil {
					return err
				}
				if l.RelayID != "" && !replace {
					return fmt.Errorf("%s has a Mac already: add --replace to retire it when the new one is paired", l.PhoneNumber)
				}
				return d.pair(ctx, l, replace)
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().BoolVar(&replace, "replace", false, "retire the Mac that the line has, once the new one is paired: it gives back what it has not begun, and what it does not answer for becomes unknown")
	return cmd
}

// pair makes and shows a setup URL.
func (d desk) pair(ctx context.Context, l store.Line, replace bool) error {
	url, err := d.StartPairing(ctx, l, replace)
	if err != nil {
		return err
	}
	return d.print(map[string]string{"line_id": l.ID, "phone_number": l.PhoneNumber, "setup_url": url}, func(w io.Writer) {
		fmt.Fprintf(w, "line       %s\nnumber     %s\nsetup URL  %s\n\nOn the Mac, within ten minutes: bluerelay pair '%s'\n", l.ID, l.PhoneNumber, url, url)
		if cli.IsTerminal(os.Stdout) {
			fmt.Fprintf(w, "\nThe same as a page with all the steps, for a phone:\n\n%s", drawQR(url))
		}
	})
}

func lineList() *cobra.Command {
	var a admin
	var account string
	cmd := &cobra.Command{
		Use: "list", Short: "List the lines",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				list, err := d.store.Lines(ctx, account)
				if err != nil {
					return err
				}
				out := make([]map[string]any, len(list))
				rows := make([][]any, len(list))
				for i, l := range list {
					canary, err := d.canary(ctx, l.ID)
					if err != nil {
						return err
					}
					out[i] = map[string]any{
						"line_id": l.ID, "account_id": l.AccountID, "phone_number": l.PhoneNumber, "label": l.Label, "status": l.Status,
						"verified": l.Verified, "pace": l.Pace, "burst": l.Burst, "new_conversations": l.NewConversations, "sms_fallback": l.SMSFallback,
						"relay_id": l.RelayID, "created_at": stamp(l.CreatedAt), "canary": canary,
					}
					mac := l.RelayID
					if mac == "" {
						mac = "not paired"
					}
					rows[i] = []any{l.PhoneNumber, l.ID, l.AccountID, l.Status, mac, l.Label}
				}
				return d.print(map[string]any{"lines": out}, func(w io.Writer) { table(w, "NUMBER\tLINE\tACCOUNT\tSTATUS\tMAC\tLABEL", rows) })
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&account, "account", "", "only of this account `ID`")
	return cmd
}

// canary is what is known of a line's daily check, nil where it has none.
func (d desk) canary(ctx context.Context, lineID string) (map[string]any, error) {
	c, ok, err := d.CanaryOf(ctx, lineID)
	if err != nil || !ok {
		return nil, err
	}
	return map[string]any{"proved_at": stamp(c.ProvedAt), "failure": c.Failure, "message_id": c.MessageID}, nil
}

func lineSet() *cobra.Command {
	var a admin
	var label, status string
	var pause, resume bool
	var set lineFlags
	cmd := &cobra.Command{
		Use: "set NUMBER", Short: "Change label, status or pace of a line, pause or resume it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := set.change(cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("label") {
				c.Label = &label
			}
			switch {
			case pause && resume, (pause || resume) && status != "":
				return cli.Usage("give one of --pause, --resume and --status")
			case pause:
				c.Status = new(store.LinePaused)
			case resume:
				c.Status = new(store.LineActive)
			case cmd.Flags().Changed("status"):
				c.Status = &status
			}
			return a.run(cmd, func(ctx context.Context, d desk) error { return d.setLine(ctx, args[0], c) })
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&label, "label", "", "name for people, at most 100 characters")
	cmd.Flags().StringVar(&status, "status", "", "active or paused")
	cmd.Flags().BoolVar(&pause, "pause", false, "give nothing more to its Mac; what is stored waits")
	cmd.Flags().BoolVar(&resume, "resume", false, "go on after --pause")
	set.flags(cmd)
	return cmd
}

func (d desk) setLine(ctx context.Context, number string, c cloud.LineChange) error {
	l, err := d.lineByNumber(ctx, number)
	if err != nil {
		return err
	}
	p, err := d.as(ctx, l.AccountID)
	if err != nil {
		return err
	}
	if l, err = d.UpdateNumber(ctx, p, l.ID, c); err != nil {
		return err
	}
	return d.print(map[string]any{
		"line_id": l.ID, "phone_number": l.PhoneNumber, "label": l.Label, "status": l.Status,
		"pace": l.Pace, "burst": l.Burst, "new_conversations": l.NewConversations, "sms_fallback": l.SMSFallback,
	}, func(w io.Writer) { fmt.Fprintf(w, "%s is %s.\n", l.PhoneNumber, l.Status) })
}

func lineRemove() *cobra.Command {
	var a admin
	cmd := &cobra.Command{
		Use: "remove NUMBER", Short: "Take a line out of use; its messages stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				l, err := d.lineByNumber(ctx, args[0])
				if err != nil {
					return err
				}
				p, err := d.as(ctx, l.AccountID)
				if err != nil {
					return err
				}
				if err := d.RemoveNumber(ctx, p, l.ID); err != nil {
					return err
				}
				return d.print(map[string]any{"line_id": l.ID, "removed": true}, func(w io.Writer) { fmt.Fprintf(w, "%s is removed.\n", l.PhoneNumber) })
			})
		},
	}
	a.flags(cmd)
	return cmd
}
