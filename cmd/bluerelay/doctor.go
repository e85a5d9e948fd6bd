package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/relay"
	"bluerelay/wire"
)

func doctorCommand() *cobra.Command {
	var p places
	var cfg relay.Config
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything that this Mac needs for sending, and say what to do",
		Long: "Look at every precondition of this Mac: each with its state, the facts behind it and\n" +
			"the next step, in the order in which to mend them. The running agent looks, because\n" +
			"macOS gives permissions to it and not to Terminal. Exit code 0 only if all hold.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.into(&cfg); err != nil {
				return err
			}
			found := examine(cmd.Context(), cfg)
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
			if asJSON {
				if err := cli.PrintJSON(cmd.OutOrStdout(), report{found.Holds(), found}); err != nil {
					return err
				}
			} else {
				printCheckup(cmd.OutOrStdout(), found, paint(os.Stdout))
			}
			return judge(found)
		},
	}
	p.flags(cmd)
	programsFlag(cmd, &cfg.Tools)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// report is what --json prints.
type report struct {
	OK bool `json:"ok"` // every precondition holds
	wire.Checkup
}

// into sets the places of a configuration.
func (p *places) into(cfg *relay.Config) (err error) {
	cfg.Version = version
	if cfg.StateDir, err = p.daemonDir(); err != nil {
		return err
	}
	cfg.ChatDB, err = p.chatDBPath()
	return err
}

// examine has the agent look, or looks at what can be seen without one.
func examine(ctx context.Context, cfg relay.Config) wire.Checkup {
	found, err := relay.Agent{StateDir: cfg.StateDir}.Report(ctx)
	if err != nil {
		return relay.Examine(ctx, cfg, err)
	}
	return found
}

// judge is an error unless all holds.
func judge(found wire.Checkup) error {
	if first := found.First(); first != nil {
		return fmt.Errorf("mend this first: %s. %s", title(first.Name), first.Next)
	}
	if found.Holds() {
		return nil
	}
	for _, c := range found.Checks {
		if c.State == wire.CheckUnknown {
			return fmt.Errorf("nothing is known to be wrong, but not all could be told: %s. %s", title(c.Name), c.Next)
		}
	}
	return nil
}

// printCheckup writes a checkup for a person.
func printCheckup(w io.Writer, found wire.Checkup, paint painter) {
	width := 0
	for _, c := range found.Checks {
		width = max(width, len(title(c.Name)))
	}
	for _, c := range found.Checks {
		printCheck(w, c, width, paint)
	}
}

func printCheck(w io.Writer, c wire.Check, width int, paint painter) {
	const indent = 6 // of the state's word
	fmt.Fprintf(w, "%s%-*s  %s\n", paint(c.State), width, title(c.Name), strings.Join(c.Evidence, "; "))
	for _, line := range []string{c.Next, open(c.Settings)} {
		if line != "" {
			fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", indent+width+2), line)
		}
	}
}

// open is the command that leads to a place in macOS.
func open(address string) string {
	if address == "" {
		return ""
	}
	return "open \"" + address + "\""
}

// titles are the names of checks for people, where they are more than words.
var titles = map[string]string{
	"macos": "macOS", "chat_db": "chat.db", "messages": "Messages", "automation": "Automation",
}

func title(name string) string {
	if t := titles[name]; t != "" {
		return t
	}
	return strings.ReplaceAll(name, "_", " ")
}

// painter writes a state as a word of six columns.
type painter func(wire.CheckState) string

// paint is in colour on a terminal, unless NO_COLOR says otherwise.
func paint(to *os.File) painter {
	words := map[wire.CheckState]string{wire.CheckOK: "ok", wire.CheckWarn: "look", wire.CheckFail: "FAIL", wire.CheckUnknown: "?"}
	colours := map[wire.CheckState]int{wire.CheckOK: 32, wire.CheckWarn: 33, wire.CheckFail: 31, wire.CheckUnknown: 36}
	_, plain := os.LookupEnv("NO_COLOR")
	colour := cli.IsTerminal(to) && !plain
	return func(s wire.CheckState) string {
		word := fmt.Sprintf("%-6s", words[s])
		if !colour {
			return word
		}
		return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colours[s], word)
	}
}
