package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/mac"
	"bluerelay/relay"
)

func importCommand() *cobra.Command {
	var p places
	var since string
	var asJSON bool
	var tools mac.Tools
	cmd := &cobra.Command{
		Use:     "import --since DATE",
		Short:   "Bring past messages to the cloud, without events",
		PreRunE: notAsRoot,
		Long: "Bring the messages of the past, from DATE on, to the cloud: in lists they stand at\n" +
			"their date, no event tells of them and no webhook is called. What the cloud has\n" +
			"already is recognised; files stay on this Mac; the scope that was chosen at pairing\n" +
			"holds. It may run beside the daemon, and goes on where it was stopped.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			im := relay.Import{Tools: tools}
			var err error
			if im.Since, err = readSince(since, time.Now()); err != nil {
				return err
			}
			if im.StateDir, err = p.daemonDir(); err != nil {
				return err
			}
			if im.ChatDB, err = p.chatDBPath(); err != nil {
				return err
			}
			bar := cli.NewProgress(os.Stderr)
			im.Progress = func(i relay.Imported) {
				bar.Show(i.Done, fmt.Sprintf("%d new, %d known", i.New, i.Known))
			}
			done, err := im.Run(cmd.Context())
			bar.End()
			if err != nil && cmd.Context().Err() != nil {
				return errors.New("stopped: the same command goes on from here")
			}
			if err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), done)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), summary(done))
			return err
		},
	}
	p.flags(cmd)
	programsFlag(cmd, &tools)
	cmd.Flags().StringVar(&since, "since", "", "`DATE` of the oldest message, 2006-01-02 or 2006-01-02T15:04:05Z")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// readSince understands a day, which begins by this machine's clock, and a moment.
func readSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, cli.Usage("--since is needed: the date of the oldest message to bring, such as 2026-01-31")
	}
	t, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	if err != nil {
		return time.Time{}, cli.Usage("--since must be a date such as 2026-01-31 or 2026-01-31T09:00:00Z, not %q", s)
	}
	if t.After(now) {
		return time.Time{}, cli.Usage("--since %s is in the future", s)
	}
	return t, nil
}

func summary(i relay.Imported) string {
	s := fmt.Sprintf("Imported %d messages; %d were known already.", i.New, i.Known)
	if i.Withheld > 0 {
		s += fmt.Sprintf(" %d stay here by the scope of the pairing.", i.Withheld)
	}
	if i.Unreadable > 0 {
		s += fmt.Sprintf(" %d could not be read.", i.Unreadable)
	}
	if i.Files > 0 {
		s += fmt.Sprintf(" Their %d files stay on this Mac.", i.Files)
	}
	return s
}
