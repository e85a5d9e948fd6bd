package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/relay"
)

func pairCommand() *cobra.Command {
	var p places
	var scope string
	var insecure, asJSON bool
	cmd := &cobra.Command{
		Use:   "pair SETUP_URL",
		Short: "Swap a setup URL for this Mac's own credential",
		Long: "Swap the one-time setup URL that `bluecloud line add` printed for this Mac's own\n" +
			"credential, and say which account will see what.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pairing := relay.Pairing{SetupURL: args[0], Insecure: insecure, Version: version}
			var err error
			if pairing.Scope, pairing.Allow, err = readScope(scope); err != nil {
				return err
			}
			if pairing.StateDir, err = p.stateDir(); err != nil {
				return err
			}
			if pairing.ChatDB, err = p.chatDBPath(); err != nil {
				return err
			}
			c, err := pairing.Pair(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), map[string]any{
					"relay_id": c.RelayID, "account": c.Account, "line": c.Line, "server": c.Server, "scope": c.Scope, "state": pairing.StateDir,
				})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Paired with %s as the Mac of %s.\nThe account %q will see: %s.\nStart the relay with `bluerelay run`.\n",
				c.Server, c.Line, c.Account, describe(c))
			return nil
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&scope, "scope", "all", "which messages leave this Mac, received or typed by its owner: all, started (people the API has written to) or allow:FILE (one handle a line)")
	cmd.Flags().BoolVar(&insecure, "insecure", false, "allow a plain http server that is not this machine")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// readScope understands all, started and allow:FILE.
func readScope(s string) (relay.Scope, []string, error) {
	switch {
	case s == string(relay.ScopeAll), s == string(relay.ScopeStarted):
		return relay.Scope(s), nil, nil
	case strings.HasPrefix(s, "allow:"):
		list, err := readHandles(strings.TrimPrefix(s, "allow:"))
		return relay.ScopeAllow, list, err
	}
	return "", nil, cli.Usage("--scope must be all, started or allow:FILE, not %q", s)
}

// readHandles reads one handle a line; empty lines and those with # are skipped.
func readHandles(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the list of --scope: %w", err)
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if h := strings.TrimSpace(lines.Text()); h != "" && !strings.HasPrefix(h, "#") {
			list = append(list, strings.ToLower(h))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the list of --scope: %w", err)
	}
	if len(list) == 0 {
		return nil, errors.New("the list of --scope is empty: no message would ever leave this Mac")
	}
	return list, nil
}

func describe(c relay.Credential) string {
	switch c.Scope {
	case relay.ScopeStarted:
		return "new messages from and to people that were written to through the API, and what becomes of its own messages"
	case relay.ScopeAllow:
		return fmt.Sprintf("new messages from and to %d listed handles, and what becomes of its own messages", len(c.Allow))
	}
	return "every new message that this Mac receives or that you write on any of your devices from now on, and what becomes of its own messages"
}
