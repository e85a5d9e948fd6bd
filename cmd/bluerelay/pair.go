package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/relay"
)

// pairFlags are what the command line says of a pairing.
type pairFlags struct {
	places
	relay.Pairing
	scope, ca      string
	rotate, asJSON bool
	notes          []string // sentences beside the result
}

func pairCommand() *cobra.Command {
	var f pairFlags
	cmd := &cobra.Command{
		Use:     "pair SETUP_URL | pair --rotate",
		Short:   "Swap a setup URL for this Mac's own credential, or exchange its secret",
		PreRunE: notAsRoot,
		Long: "Swap the one-time setup URL that `bluecloud line add` printed for this Mac's own\n" +
			"credential, and say which account will see what. With --rotate, exchange the secret of\n" +
			"the credential that there is for a new one; the daemon may run.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.rotate == (len(args) == 1) {
				return cli.Usage("give a setup URL, or --rotate to exchange the secret of the pairing that there is")
			}
			if f.rotate && (f.scope != "" || f.Keychain) {
				return cli.Usage("--rotate leaves everything but the secret as it is: pair anew for another --scope or --keychain")
			}
			if err := f.read(); err != nil {
				return err
			}
			if f.rotate {
				return f.exchange(cmd.Context(), cmd.OutOrStdout())
			}
			f.SetupURL = args[0]
			if f.scope == "" && !f.asJSON && cli.IsTerminal(os.Stdin) && cli.IsTerminal(os.Stdout) {
				var err error
				if f.scope, err = askScope(cmd.Context(), os.Stdin, cmd.OutOrStdout()); err != nil {
					return err
				}
			}
			return f.pair(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f.flags(cmd)
	programsFlag(cmd, &f.Tools)
	cmd.Flags().StringVar(&f.scope, "scope", "", "which messages leave this Mac, received or typed by its owner: all, started (people the API has written to) or allow:FILE (one handle a line); without it a terminal asks, and it is all elsewhere")
	cmd.Flags().BoolVar(&f.Insecure, "insecure", false, "allow a plain http server that is not this machine")
	cmd.Flags().StringVar(&f.ca, "ca", "", "`FILE` with certificates in PEM to trust beside those that this Mac trusts: of your own authority, or of the server")
	cmd.Flags().BoolVar(&f.Keychain, "keychain", false, "keep the secret in the login keychain, not in a file; the daemon then needs somebody logged in at the screen")
	cmd.Flags().BoolVar(&f.rotate, "rotate", false, "exchange the secret for a new one, and trust what --ca names from now on")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object")
	return cmd
}

// read fills in what the flags name.
func (f *pairFlags) read() (err error) {
	f.Version, f.Say = version, func(s string) { f.notes = append(f.notes, s) }
	if f.StateDir, err = f.daemonDir(); err != nil {
		return err
	}
	if f.ChatDB, err = f.chatDBPath(); err != nil || f.ca == "" {
		return err
	}
	data, err := os.ReadFile(f.ca)
	if err != nil {
		return fmt.Errorf("read the certificates of --ca: %w", err)
	}
	f.CA, err = relay.ReadAuthorities(data)
	return err
}

func (f *pairFlags) pair(ctx context.Context, out io.Writer) error {
	scope := f.scope
	if scope == "" {
		scope = string(relay.ScopeAll)
	}
	var err error
	if f.Scope, f.Allow, err = readScope(scope); err != nil {
		return err
	}
	c, err := f.Pair(ctx)
	if err != nil {
		return err
	}
	if f.asJSON {
		return cli.PrintJSON(out, map[string]any{
			"relay_id": c.RelayID, "account": c.Account, "line": c.Line, "server": c.Server, "scope": c.Scope, "state": f.StateDir, "keychain": c.Keychain != "", "notes": append([]string{}, f.notes...),
		})
	}
	fmt.Fprintf(out, "Paired with %s as the Mac of %s.\nThe account %q will see: %s.\n", c.Server, c.Line, c.Account, describe(c))
	if f.scope == "" {
		fmt.Fprintln(out, "That is --scope all; --scope started or allow:FILE lets less leave this Mac.")
	}
	if c.Keychain != "" {
		fmt.Fprintln(out, "The secret is in the login keychain, as the item bluerelay.")
	}
	for _, s := range f.notes {
		fmt.Fprintln(out, s)
	}
	_, err = fmt.Fprintln(out, "Start the relay with `bluerelay run`, or have launchd do that with `bluerelay install`.")
	return err
}

func (f *pairFlags) exchange(ctx context.Context, out io.Writer) error {
	c, err := relay.Rotate(ctx, f.StateDir, f.Tools, f.CA)
	if err != nil {
		return err
	}
	if f.asJSON {
		return cli.PrintJSON(out, map[string]any{"relay_id": c.RelayID, "server": c.Server, "rotated": true})
	}
	_, err = fmt.Fprintf(out, "The secret of %s at %s is exchanged; the former one opens nothing any more.\n", c.RelayID, c.Server)
	return err
}
