package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"rsc.io/qr"

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
	var account, pace string
	cmd := &cobra.Command{
		Use: "add NUMBER --account ID", Short: "Add a number and show the setup URL for its Mac", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if account == "" {
				return cli.Usage("--account is needed: see `bluecloud account list`")
			}
			return a.run(cmd, func(ctx context.Context, d desk) error {
				if _, err := d.as(ctx, account); err != nil {
					return err
				}
				l, err := d.AddLine(ctx, account, args[0], pace, true)
				if err != nil {
					return err
				}
				return d.pair(ctx, l, false)
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&account, "account", "", "account `ID`")
	cmd.Flags().StringVar(&pace, "pace", "", "off, or messages a second (default: 1 with bursts of 5 for a real Mac, off otherwise)")
	return cmd
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
	cmd.Flags().BoolVar(&replace, "replace", false, "retire the Mac that the line has; what it holds becomes unknown")
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
			printQR(w, url)
		}
	})
}

// printQR draws the code with two modules to a character, dark on light.
func printQR(w io.Writer, text string) {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return // too long for a code; the URL stands above
	}
	const margin = 2
	blocks := map[[2]bool]string{{false, false}: "█", {true, false}: "▄", {false, true}: "▀", {true, true}: " "}
	var b strings.Builder
	for y := -margin; y < code.Size+margin; y += 2 {
		for x := -margin; x < code.Size+margin; x++ {
			b.WriteString(blocks[[2]bool{code.Black(x, y), code.Black(x, y+1)}])
		}
		b.WriteByte('\n')
	}
	fmt.Fprint(w, "\n", b.String())
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
					out[i] = map[string]any{
						"line_id": l.ID, "account_id": l.AccountID, "phone_number": l.PhoneNumber, "label": l.Label, "status": l.Status,
						"verified": l.Verified, "pace": l.Pace, "relay_id": l.RelayID, "created_at": stamp(l.CreatedAt),
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

func lineSet() *cobra.Command {
	var a admin
	var label, status, pace string
	cmd := &cobra.Command{
		Use: "set NUMBER", Short: "Change label, status or pace of a line", Args: cobra.ExactArgs(1),
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
				var c cloud.LineChange
				for name, field := range map[string]struct {
					value *string
					into  **string
				}{"label": {&label, &c.Label}, "status": {&status, &c.Status}, "pace": {&pace, &c.Pace}} {
					if cmd.Flags().Changed(name) {
						*field.into = field.value
					}
				}
				if l, err = d.UpdateNumber(ctx, p, l.ID, c); err != nil {
					return err
				}
				return d.print(map[string]any{"line_id": l.ID, "phone_number": l.PhoneNumber, "label": l.Label, "status": l.Status, "pace": l.Pace},
					func(w io.Writer) { fmt.Fprintf(w, "%s is %s.\n", l.PhoneNumber, l.Status) })
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&label, "label", "", "name for people, at most 100 characters")
	cmd.Flags().StringVar(&status, "status", "", "active or paused")
	cmd.Flags().StringVar(&pace, "pace", "", "off, or messages a second; empty for what its Mac calls for")
	return cmd
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
