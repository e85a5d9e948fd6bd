package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/fault"
	"bluerelay/launchd"
	"bluerelay/mac"
	"bluerelay/relay"
)

// label is the daemon's name for launchd.
const label = "com.bluerelay.agent"

// places are the paths that more than one command needs.
type places struct{ state, chatDB string }

func (p *places) flags(cmd *cobra.Command) {
	p.stateFlag(cmd)
	p.chatDBFlag(cmd)
}

func (p *places) stateFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.state, "state", "", "folder of journal and credential (default: the platform's data folder)")
}

func (p *places) chatDBFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.chatDB, "chat-db", "", "Messages' database (default: ~/Library/Messages/chat.db)")
}

func (p *places) stateDir() (string, error) {
	if p.state != "" {
		return filepath.Abs(p.state)
	}
	return cli.DataDir("bluerelay")
}

// daemonDir is stateDir for a command about the daemon: without --state it is that of the
// installed one.
func (p *places) daemonDir() (string, error) {
	if p.state != "" {
		return p.stateDir()
	}
	path, err := launchd.DefaultPath(label)
	if err != nil {
		return "", err
	}
	switch a, err := launchd.ReadAgent(path); {
	case err == nil:
		return a.StateDir, nil
	case !canMend(err):
		return "", err
	}
	return p.stateDir()
}

func (p *places) chatDBPath() (string, error) {
	if p.chatDB != "" {
		return filepath.Abs(p.chatDB)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	return filepath.Join(home, "Library/Messages/chat.db"), nil
}

// asRoot tells whether this process has the rights of root on a Mac, whose root has no
// Messages. Elsewhere a relay has none either way.
var asRoot = runtime.GOOS == "darwin" && os.Geteuid() == 0

// notAsRoot refuses what would leave files of root in the state folder, or spend a setup URL
// for it.
func notAsRoot(*cobra.Command, []string) error {
	if asRoot {
		return launchd.ErrRoot
	}
	return nil
}

// programsFlag is for tests: stand-ins for the programs of macOS.
func programsFlag(cmd *cobra.Command, tools *mac.Tools) {
	cmd.Flags().StringVar(&tools.Dir, "programs", "", "folder with stand-ins for the programs of macOS")
	_ = cmd.Flags().MarkHidden("programs") // it exists: the line above makes it
}

func runCommand() *cobra.Command {
	var p places
	var attachments, level, logs string
	var cfg relay.Config
	var updates updateFlags
	var every time.Duration
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Run the daemon in the foreground; what launchd starts",
		PreRunE: notAsRoot,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, closeLog, err := openLog(logs, level)
			if err != nil {
				return err
			}
			defer closeLog()
			cfg.Version, cfg.Log = version, log
			if cfg.StateDir, err = p.stateDir(); err != nil {
				return err
			}
			if cfg.ChatDB, err = p.chatDBPath(); err != nil {
				return err
			}
			if attachments != "" {
				if cfg.Attachments, err = filepath.Abs(attachments); err != nil {
					return err
				}
			}
			if cfg.Exe, err = os.Executable(); err != nil {
				return fmt.Errorf("find this program: %w", err)
			}
			open := relay.Open
			if logs != "" {
				cfg.Fresh = cfg.Exe
				open = openPatiently
			}
			self, err := newSelfUpdate(cmd.Context(), cfg.Tools, cfg.StateDir, cfg.Exe, updates, every, log)
			if err != nil {
				log.Error("update.off", "error", err.Error()) // no reason not to bring messages
			}
			if self.welcomed != nil {
				cfg.Welcomed = self.welcome
			}
			fault.Tune(&cfg)
			err = launchd.Run(cmd.Context(), label, func(ctx context.Context) error {
				return self.around(ctx, func(ctx context.Context) error {
					r, err := open(ctx, cfg)
					if err != nil || r == nil {
						return err
					}
					log.Info("relay.started", "version", version)
					return r.Run(ctx)
				})
			})
			if logs != "" && errors.Is(err, relay.ErrRestart) {
				log.Info("relay.restarts", "why", err.Error())
				return cli.Said(err) // launchd's own file is for crashes
			}
			return err
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&cfg.Osascript, "osascript", "/usr/bin/osascript", "program that speaks to Messages")
	cmd.Flags().StringVar(&attachments, "attachments", "", "Messages' folder of files (default: Attachments beside --chat-db)")
	cmd.Flags().StringVar(&cfg.Sips, "sips", "/usr/bin/sips", "program that makes JPEG of HEIC pictures; without it they go as they are")
	cmd.Flags().StringVar(&cfg.Afconvert, "afconvert", "/usr/bin/afconvert", "program that makes M4A of voice notes; without it they go as they are")
	cmd.Flags().BoolVar(&cfg.KeepAwake, "keep-awake", true, "keep the Mac from sleeping while the daemon runs; on battery only from the sleep of a Mac that nobody uses")
	cmd.Flags().BoolVar(&cfg.Notify, "notify", true, "show on this Mac's screen when a person is needed, at most once a day for each problem")
	programsFlag(cmd, &cfg.Tools)
	updates.flags(cmd, "update-from")
	cmd.Flags().DurationVar(&every, "update-every", 24*time.Hour, "time between two looks at --update-from")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	cmd.Flags().StringVar(&logs, "log-dir", "", "folder of logs that the daemon turns over itself (default: standard error); with it the daemon stays up while it needs a person, as launchd wants it")
	return cmd
}

// openLog writes to standard error, or to a folder. Where that cannot be written a daemon
// goes on without it: to end would have launchd start it for ever.
func openLog(dir, level string) (*slog.Logger, func(), error) {
	stderr, err := cli.Logger(os.Stderr, level)
	if err != nil || dir == "" {
		return stderr, func() {}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, nil, err
	}
	if err := launchd.TrimCrashLogs(dir, label); err != nil {
		stderr.Warn("log.not_trimmed", "error", err.Error())
	}
	file, err := launchd.OpenLog(dir)
	if err != nil {
		stderr.Error("log.unusable", "do", err.Error())
		return stderr, func() {}, nil
	}
	log, err := cli.Logger(file, level)
	return log, func() { file.Close() }, err
}

// openAgain is how often a daemon that needs a person looks whether he was there.
const openAgain = 2 * time.Second

// openPatiently waits until the relay can be opened, and is nil where ctx ends first. It
// says what a person has to do whenever that changes: not paired yet, another daemon on the
// same state, a full disk. To end instead would have launchd start it for ever.
func openPatiently(ctx context.Context, cfg relay.Config) (*relay.Relay, error) {
	said := ""
	for {
		r, err := relay.Open(ctx, cfg)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return nil, nil
		}
		if err.Error() != said {
			said = err.Error()
			cfg.Log.Error("relay.waits", "do", said)
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(openAgain):
		}
	}
}
