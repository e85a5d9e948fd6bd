package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/launchd"
	"bluerelay/mac"
	"bluerelay/relay"
)

// installation is the agent a, installed or to be, of the present user.
func installation(tools mac.Tools, a launchd.Agent) (launchd.Installation, error) {
	i := launchd.Installation{Agent: a, Job: launchd.Job{Tools: tools, Label: label, UID: os.Geteuid()}}
	var err error
	if i.Path, err = launchd.DefaultPath(label); err != nil {
		return i, err
	}
	i.Bundle = launchd.Bundle{Version: version, Signer: launchd.Signer{Tools: tools, Dir: filepath.Join(a.StateDir, "signing")}}
	if i.Bundle.Path, err = launchd.DefaultBundlePath(); err != nil {
		return i, err
	}
	i.Agent.Label, i.Agent.Program, i.Agent.BundleID = label, i.Bundle.Program(), launchd.BundleID
	return i, nil
}

// installed is what the property list of the present user says. With the error
// launchd.ErrNotInstalled or launchd.ErrDamaged it is what an install without flags would
// make.
func installed(tools mac.Tools) (launchd.Installation, error) {
	path, err := launchd.DefaultPath(label)
	if err != nil {
		return launchd.Installation{}, err
	}
	a, missing := launchd.ReadAgent(path)
	if missing != nil {
		var p places
		if a.StateDir, err = p.stateDir(); err != nil {
			return launchd.Installation{}, err
		}
		if a.LogDir, err = logDir(); err != nil {
			return launchd.Installation{}, err
		}
	}
	i, err := installation(tools, a)
	if err != nil {
		return i, err
	}
	return i, missing
}

// canMend tells whether an install makes good what installed has found.
func canMend(err error) bool {
	return err == nil || errors.Is(err, launchd.ErrNotInstalled) || errors.Is(err, launchd.ErrDamaged)
}

// logDir is where a Mac's programs have their logs.
func logDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	return filepath.Join(home, "Library", "Logs", "bluerelay"), nil
}

func startCommand() *cobra.Command {
	return agentCommand("start", "Start the installed daemon", func(ctx context.Context, w io.Writer, i launchd.Installation) error {
		s, err := i.Start(ctx)
		if err == nil {
			fmt.Fprintf(w, "bluerelay runs (pid %d).\n", s.PID)
		}
		return err
	})
}

func restartCommand() *cobra.Command {
	return agentCommand("restart", "Start the installed daemon anew", func(ctx context.Context, w io.Writer, i launchd.Installation) error {
		s, err := i.Restart(ctx)
		if err == nil {
			fmt.Fprintf(w, "bluerelay runs again (pid %d).\n", s.PID)
		}
		return err
	})
}

func stopCommand() *cobra.Command {
	return agentCommand("stop", "Stop the installed daemon, until the next login or start", func(ctx context.Context, w io.Writer, i launchd.Installation) error {
		err := i.Stop(ctx)
		if err == nil {
			fmt.Fprintln(w, "bluerelay is stopped. It starts again at the next login, or by `bluerelay start`.")
		}
		return err
	})
}

// agentCommand is a command about the installed daemon that needs no flags.
func agentCommand(use, short string, do func(context.Context, io.Writer, launchd.Installation) error) *cobra.Command {
	var tools mac.Tools
	cmd := &cobra.Command{
		Use: use, Short: short,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := installed(tools)
			if err != nil {
				return err
			}
			return do(cmd.Context(), cmd.OutOrStdout(), i)
		},
	}
	programsFlag(cmd, &tools)
	return cmd
}

// agentStatus is what `bluerelay status --json` prints.
type agentStatus struct {
	launchd.Report
	ChatDB *relay.Access `json:"chat_db,omitempty"` // what the daemon found last; absent before its first look
}

func statusCommand() *cobra.Command {
	var tools mac.Tools
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Whether the installed daemon runs, and who macOS takes it for",
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := installed(tools)
			if err != nil && !errors.Is(err, launchd.ErrNotInstalled) {
				return err
			}
			var s agentStatus
			if s.Report, err = i.Report(cmd.Context()); err != nil {
				return err
			}
			if s.ChatDB, err = relay.ReadAccess(i.Agent.StateDir); err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), s)
			}
			return s.print(cmd.OutOrStdout())
		},
	}
	programsFlag(cmd, &tools)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (s agentStatus) print(w io.Writer) error {
	if !s.Installed {
		_, err := fmt.Fprintln(w, "bluerelay is not installed for this user: run `bluerelay install`.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	switch {
	case s.Running:
		fmt.Fprintf(t, "running\tpid %d, started %d times since it was loaded\n", s.PID, s.Runs)
	case s.Loaded:
		fmt.Fprintf(t, "not running\tlaunchd says %q; `bluerelay logs` says why, `bluerelay start` starts it\n", s.State)
	default:
		fmt.Fprintf(t, "stopped\tuntil the next login, or `bluerelay start`\n")
	}
	if s.LastExit != nil {
		fmt.Fprintf(t, "last exit\tstatus %d\n", *s.LastExit)
	}
	fmt.Fprintf(t, "program\t%s\nversion\t%s\nidentity\t%s\nstate\t%s\nlogs\t%s\n", s.Program, s.Version, s.Identity, s.StateDir, s.LogDir)
	if s.ChatDB != nil {
		fmt.Fprintf(t, "chat.db\t%s since %s\n", s.ChatDB.State, s.ChatDB.Since.Local().Format("2 January 2006, 15:04"))
	}
	for _, sentence := range s.attention() {
		fmt.Fprintf(t, "attention\t%s\n", sentence)
	}
	return t.Flush()
}

// attention is what a person should know: that nobody is logged in, and why macOS may have
// forgotten permissions. A change of identity counts until the daemon could read chat.db
// after it.
func (s agentStatus) attention() []string {
	sentences := slices.DeleteFunc([]string{s.NoSession, s.GrantsLost}, func(s string) bool { return s == "" })
	readable := s.ChatDB != nil && s.ChatDB.State == relay.AccessReadable
	if s.Changed != nil && !(readable && s.ChatDB.Since.After(s.Changed.At)) {
		sentences = append(sentences, s.Changed.Advice())
	}
	return sentences
}

func logsCommand() *cobra.Command {
	var lines int
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "Print the end of the installed daemon's log",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lines < 0 {
				return cli.Usage("--lines must not be less than 0")
			}
			i, err := installed(mac.Tools{})
			if err != nil {
				return err
			}
			if crash := i.Agent.CrashLog(); crash != "" && !follow {
				defer fmt.Fprintf(cmd.ErrOrStderr(), "What the program said when it ended by itself: %s\n", crash)
			}
			return launchd.Tail(cmd.Context(), cmd.OutOrStdout(), i.Agent.LogDir, lines, follow)
		},
	}
	cmd.Flags().IntVarP(&lines, "lines", "n", 100, "how many `lines` to begin with")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is added, until Ctrl-C")
	return cmd
}
