package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/launchd"
	"bluerelay/mac"
	"bluerelay/update"
)

// updateFlags name where updates come from and whose signature is believed.
type updateFlags struct{ from, keyFile string }

// source is what the flags say, or what this program was built with.
func (f updateFlags) source() (update.Source, error) {
	s := update.Source{URL: f.from}
	if s.URL == "" {
		s.URL = update.DefaultSource()
	}
	if s.URL == "" {
		return s, errors.New("this program was built without an address to get updates from: give one, or update it by hand and run `bluerelay install` again")
	}
	if f.keyFile == "" {
		var err error
		s.Keys, err = update.BuiltIn()
		return s, err
	}
	data, err := os.ReadFile(f.keyFile)
	if err != nil {
		return s, fmt.Errorf("read the key of --update-key: %w", err)
	}
	s.Keys, err = update.ParsePublicKeys(string(data))
	return s, err
}

// updater is that of an installed daemon of that version.
func updater(i launchd.Installation, s update.Source, version, macOS string) update.Updater {
	return update.Updater{
		Source: s, Dir: i.Agent.StateDir, Version: version, Platform: runtime.GOOS + "/" + runtime.GOARCH, MacOS: macOS, Arguments: i.Agent.Arguments,
		Place: update.Place{
			Replace: func(ctx context.Context, program, version string) error {
				record, err := launchd.ReadRecord(i.Agent.StateDir)
				if err != nil {
					return err
				}
				// The identity that the permissions are bound to.
				i.Bundle.Signer.Name, i.Bundle.Requirement, i.Bundle.Version = record.Identity, record.Requirement, version
				return i.Bundle.Replace(ctx, program)
			},
			Rollback: func() error {
				err := i.Bundle.Rollback()
				if errors.Is(err, launchd.ErrNoFormer) {
					err = errors.Join(update.ErrNoFormer, err)
				}
				return err
			},
			Keep: i.Bundle.Keep,
		},
	}
}

// macVersion is the version of macOS, "" where this is none.
func macVersion(ctx context.Context, tools mac.Tools) (string, error) {
	r, err := tools.Run(ctx, 10*time.Second, nil, "sw_vers", "-productVersion")
	if errors.Is(err, mac.ErrNoTool) && runtime.GOOS != "darwin" {
		return "", nil
	}
	if err != nil || r.Code != 0 {
		return "", fmt.Errorf("which macOS this is could not be asked (%d): %w", r.Code, err)
	}
	return strings.TrimSpace(string(r.Out)), nil
}

func updateCommand() *cobra.Command {
	var f updateFlags
	var tools mac.Tools
	var onlyCheck, asJSON bool
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Bring the installed daemon to the newest version that was signed",
		Long: "Ask for the newest version, check its signature, download it, and have the daemon put\n" +
			"it in its own place when it has nothing in hand. A version that in three starts neither\n" +
			"reaches the cloud nor stays up for ten minutes is taken back.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := installed(tools)
			if errors.Is(err, launchd.ErrNotInstalled) {
				return errors.New("no daemon is installed here that could be updated: this program is updated the way it came, and `bluerelay install` installs it")
			}
			if err != nil {
				return err
			}
			f = f.or(i.Agent.Arguments)
			s, err := f.source()
			if err != nil {
				return err
			}
			report, err := i.Report(cmd.Context())
			if err != nil {
				return err
			}
			macOS, err := macVersion(cmd.Context(), tools)
			if err != nil {
				return err
			}
			u := updater(i, s, report.Version, macOS)
			r := updateResult{Installed: report.Version}
			o, err := u.Check(cmd.Context())
			switch {
			case errors.Is(err, update.ErrCurrent):
				r.Newest = report.Version
				return r.print(cmd, asJSON)
			case err != nil:
				return err
			}
			r.Newest = o.Version.String()
			if !onlyCheck {
				if err := bring(cmd.Context(), i, u, o); err != nil {
					return err
				}
				r.Installed, r.Updated = r.Newest, true
			}
			return r.print(cmd, asJSON)
		},
	}
	programsFlag(cmd, &tools)
	f.flags(cmd, "from")
	cmd.Flags().BoolVar(&onlyCheck, "check", false, "only say whether there is a newer version")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func (f *updateFlags) flags(cmd *cobra.Command, from string) {
	cmd.Flags().StringVar(&f.from, from, "", "`URL` of the signed manifest of updates")
	cmd.Flags().StringVar(&f.keyFile, "update-key", "", "`FILE` with the public keys whose signatures are believed (default: those that this program was built with)")
}

// or takes what is missing from the arguments that the daemon was installed with.
func (f updateFlags) or(arguments []string) updateFlags {
	for name, value := range map[string]*string{"--update-from": &f.from, "--update-key": &f.keyFile} {
		if *value == "" {
			*value = argument(arguments, name)
		}
	}
	return f
}

// argument is the value of a flag among the arguments of `run`, in either of its two forms:
// the last one counts, as it does for `run`.
func argument(arguments []string, name string) (value string) {
	for i, a := range arguments {
		if rest, ok := strings.CutPrefix(a, name+"="); ok {
			value = rest
		} else if a == name && i+1 < len(arguments) {
			value = arguments[i+1]
		}
	}
	return value
}

// updateResult is what `bluerelay update --json` prints.
type updateResult struct {
	Installed string `json:"installed"`
	Newest    string `json:"newest"`
	Updated   bool   `json:"updated"`
}

func (r updateResult) print(cmd *cobra.Command, asJSON bool) error {
	w := cmd.OutOrStdout()
	switch {
	case asJSON:
		return cli.PrintJSON(w, r)
	case r.Updated:
		fmt.Fprintf(w, "bluerelay %s is installed and works.\n", r.Installed)
	case r.Newest == r.Installed:
		fmt.Fprintf(w, "bluerelay %s is the newest version.\n", r.Installed)
	default:
		fmt.Fprintf(w, "bluerelay %s is there, and %s is installed: run `bluerelay update`.\n", r.Newest, r.Installed)
	}
	return nil
}

// How long an update is watched, beyond three starts that launchd throttles, and how often.
const (
	watchFor   = 4 * time.Minute
	watchEvery = 500 * time.Millisecond
)

// bring has the daemon update itself, and returns when the new version has shown that it
// works. Whoever ends it early leaves the daemon at work on it.
func bring(ctx context.Context, i launchd.Installation, u update.Updater, o update.Offer) error {
	if err := u.Fetch(ctx, o); err != nil {
		return err
	}
	_, restarted := i.Restart(ctx)
	end := time.NewTimer(watchFor)
	defer end.Stop()
	look := time.NewTicker(watchEvery)
	defer look.Stop()
	for {
		s, err := update.ReadState(u.Dir)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(s.Refused, o.Version.String()):
			return fmt.Errorf("version %s did not come up, and %s is taken again: `bluerelay logs` says why", o.Version, u.Version)
		case s.Ready == nil && s.Trial == nil:
			report, err := i.Report(ctx)
			if err == nil && report.Version != o.Version.String() {
				err = fmt.Errorf("version %s could not be put in place: `bluerelay logs` says why", o.Version)
			}
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("stopped: the daemon goes on with the update by itself")
		case <-end.C:
			return errors.Join(fmt.Errorf("version %s has not reached the cloud yet: the daemon keeps the former one until it has, see `bluerelay status`", o.Version), restarted)
		case <-look.C:
		}
	}
}

// autoUpdate adds the arguments of `run` that have the daemon update itself, or takes them
// away.
func autoUpdate(arguments []string, on bool, f updateFlags) ([]string, error) {
	var rest []string
	for i := 0; i < len(arguments); i++ {
		switch name, _, whole := strings.Cut(arguments[i], "="); {
		case name != "--update-from" && name != "--update-key":
			rest = append(rest, arguments[i])
		case !whole:
			i++ // its value
		}
	}
	if !on {
		return rest, nil
	}
	s, err := f.source()
	if err != nil {
		return nil, err
	}
	rest = append(rest, "--update-from", s.URL)
	if f.keyFile == "" {
		return rest, nil
	}
	path, err := filepath.Abs(f.keyFile)
	return append(rest, "--update-key", path), err
}
