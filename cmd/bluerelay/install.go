package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/launchd"
	"bluerelay/mac"
	"bluerelay/relay"
)

func installCommand() *cobra.Command {
	var p places
	var tools mac.Tools
	var logs, identity string
	var asJSON, auto bool
	var updates updateFlags
	cmd := &cobra.Command{
		Use:   "install [flags] [-- FLAG_OF_RUN…]",
		Short: "Install this program as the daemon of this user, or bring the installed one to this version",
		Long: "Copy this program into ~/Applications/bluerelay.app, sign it, and have launchd start it\n" +
			"now and at each login. Run again, it brings the installed daemon to this version and\n" +
			"leaves settings and permissions as they are. What follows -- is given to `bluerelay run`,\n" +
			"in place of what an earlier install gave it.",
		DisableFlagsInUseLine: true,
		Args:                  argumentsOfRun,
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := installed(tools)
			if !canMend(err) {
				return err
			}
			more := furtherArguments(i.Agent)
			if cmd.ArgsLenAtDash() >= 0 {
				more = args
			}
			if p.state != "" {
				if i.Agent.StateDir, err = p.stateDir(); err != nil {
					return err
				}
			}
			if logs != "" {
				if i.Agent.LogDir, err = filepath.Abs(logs); err != nil {
					return err
				}
			}
			if updates != (updateFlags{}) && !auto {
				return cli.Usage("--update-from and --update-key are for --auto-update")
			}
			if cmd.Flags().Changed("auto-update") {
				if more, err = autoUpdate(more, auto, updates); err != nil {
					return err
				}
			}
			i.Agent.Arguments = append(ownArguments(i.Agent), more...)
			if i, err = installation(tools, i.Agent); err != nil {
				return err
			}
			record, err := launchd.ReadRecord(i.Agent.StateDir)
			if err != nil {
				return err
			}
			// An upgrade goes on with the identity that the permissions are bound to.
			i.Bundle.Signer.Name = record.Identity
			if cmd.Flags().Changed("identity") {
				i.Bundle.Signer.Name = identity
			}
			return install(cmd, i, asJSON)
		},
	}
	p.stateFlag(cmd)
	programsFlag(cmd, &tools)
	cmd.Flags().StringVar(&logs, "log-dir", "", "folder of the logs (default: ~/Library/Logs/bluerelay)")
	cmd.Flags().StringVar(&identity, "identity", "", "`NAME` of a certificate to sign with, such as a Developer ID; empty is one of this Mac's own (default: that of the last install)")
	cmd.Flags().BoolVar(&auto, "auto-update", false, "have the daemon look for newer versions once a day and put them in its place when it has nothing in hand; =false ends that")
	updates.flags(cmd, "update-from")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// argumentsOfRun refuses what the daemon would not understand at its start.
func argumentsOfRun(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
		return cli.Usage("%q is no flag; what is for `bluerelay run` follows after --", args[0])
	}
	run := runCommand()
	if err := run.ParseFlags(args); err != nil {
		return cli.Usage("`bluerelay run` would not understand it: %w", err)
	}
	for _, own := range []string{"state", "log-dir"} {
		if run.Flags().Changed(own) {
			return cli.Usage("--%s is a setting of install itself: give it before the --", own)
		}
	}
	if rest := run.Flags().Args(); len(rest) > 0 {
		return cli.Usage("`bluerelay run` takes no %q", rest[0])
	}
	return nil
}

// ownArguments are those that every installed daemon has.
func ownArguments(a launchd.Agent) []string {
	return []string{"run", "--state", a.StateDir, "--log-dir", a.LogDir}
}

// furtherArguments are those that an earlier install was given beyond them.
func furtherArguments(a launchd.Agent) []string {
	if own := ownArguments(a); len(a.Arguments) > len(own) && slices.Equal(a.Arguments[:len(own)], own) {
		return slices.Clone(a.Arguments[len(own):])
	}
	return nil
}

func install(cmd *cobra.Command, i launchd.Installation, asJSON bool) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	i.Say = func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), what) }
	status, record, err := i.Install(cmd.Context(), program)
	if err != nil {
		return err
	}
	if asJSON {
		report, err := i.Report(cmd.Context())
		if err != nil {
			return err
		}
		return cli.PrintJSON(cmd.OutOrStdout(), agentStatus{Report: report})
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "bluerelay %s is installed and runs (pid %d). It starts by itself at each login.\n\n", version, status.PID)
	if record.Changed != nil {
		fmt.Fprintf(w, "%s\n\n", record.Changed.Advice())
	}
	printNext(w, i)
	return nil
}

// printNext says what only a person can do.
func printNext(w io.Writer, i launchd.Installation) {
	fmt.Fprintf(w, `What only you can do, at the Mac's screen:

1. Full Disk Access, to read Messages' database: turn on bluerelay in
     open '%s'
   If it is not in the list, press + and choose %s.
2. Automation, to send: when macOS asks whether bluerelay may control Messages, allow it.
   Afterwards it is in
     open '%s'
`, mac.PaneFullDisk, i.Bundle.Path, mac.PaneAutomation)
	if _, err := relay.LoadCredential(i.Agent.StateDir); errors.Is(err, relay.ErrNotPaired) {
		fmt.Fprintf(w, "3. Pair this Mac: bluerelay pair 'SETUP_URL', with the address that `bluecloud line add` printed.\n")
	}
	fmt.Fprintf(w, "\nThe daemon notices each of them by itself. `bluerelay status` and `bluerelay logs -f` show how it does.\n")
}

func uninstallCommand() *cobra.Command {
	var tools mac.Tools
	var purge bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop the daemon and remove it; its state and logs stay",
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := installed(tools)
			if !canMend(err) {
				return err
			}
			if purge {
				if err := i.CheckPurge(); err != nil {
					return err
				}
			}
			if err := i.Stop(cmd.Context()); err != nil {
				return err
			}
			if purge {
				// One that somebody runs in a terminal would lose its journal.
				if err := relay.CheckFree(i.Agent.StateDir); err != nil {
					return err
				}
				if err := relay.ForgetSecret(cmd.Context(), i.Agent.StateDir, tools); err != nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s\n", err)
				}
			}
			if err := i.Uninstall(cmd.Context(), purge); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if purge {
				fmt.Fprintln(w, "bluerelay is removed, with its state, its credential and its logs. Revoke it in the cloud with `bluecloud relay revoke`.")
			} else {
				fmt.Fprintf(w, "bluerelay is removed. Its state stays in %s, its logs in %s; --purge removes them.\n", i.Agent.StateDir, i.Agent.LogDir)
			}
			fmt.Fprintf(w, "Two rows stay in System Settings that only you can delete, with the minus button: bluerelay in\n  open '%s'\n  open '%s'\n", mac.PaneFullDisk, mac.PaneAutomation)
			return nil
		},
	}
	programsFlag(cmd, &tools)
	cmd.Flags().BoolVar(&purge, "purge", false, "also remove state, credential, this Mac's signing certificate and logs")
	return cmd
}
