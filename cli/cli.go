// Package cli is how both programs behave at a terminal: an environment twin for
// each flag, exit codes, errors in one sentence, JSON for scripts.
//
// It knows no command of either program. Main is to be called once, from main.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes.
const (
	done   = 0
	failed = 1
	misuse = 2
)

// usageError is a command that was called in a wrong way.
type usageError struct{ error }

// Usage makes an error that ends the program with exit code 2.
func Usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// saidError is one that whoever reads its words has seen already.
type saidError struct{ error }

// Said makes an error that ends the program with exit code 1 and without a word.
func Said(err error) error { return saidError{err} }

// Unwrap gives the error itself.
func (e saidError) Unwrap() error { return e.error }

// Main runs the command line and returns the exit code. prefix begins the
// environment twin of each flag: with BLUECLOUD, --listen is BLUECLOUD_LISTEN. The
// context ends with the first SIGINT, SIGTERM or SIGHUP, which a terminal sends that is
// closed; under nohup SIGHUP stays ignored.
func Main(root *cobra.Command, prefix string) int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// The first signal drains; a second one must be able to end what hangs.
	context.AfterFunc(ctx, stop)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return twins(cmd, prefix) }
	strict(root)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return done
	}
	if _, ok := errors.AsType[saidError](err); ok {
		return failed
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", root.Name(), err)
	if _, ok := errors.AsType[usageError](err); ok || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(os.Stderr, "See `%s --help`.\n", cmd.CommandPath())
		return misuse
	}
	return failed
}

// strict makes wrong arguments a usage error in every command, and a group of
// commands without a command one too.
func strict(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	if cmd.HasSubCommands() && !cmd.Runnable() && cmd.HasParent() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			return Usage("%s needs one of its commands", cmd.CommandPath())
		}
	}
	if cmd.HasParent() {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
}

// twins sets flags that were not given from the environment.
func twins(cmd *cobra.Command, prefix string) error {
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := Twin(prefix, f.Name)
		value, ok := os.LookupEnv(name)
		if f.Changed || !ok || err != nil {
			return
		}
		if serr := cmd.Flags().Set(f.Name, value); serr != nil {
			err = Usage("%s: %w", name, serr)
		}
	})
	return err
}

// Twin is the name of a flag's environment variable.
func Twin(prefix, flag string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// PrintJSON writes one JSON object for a script.
func PrintJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// IsTerminal tells whether a person is likely to sit at the other end of f.
func IsTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nobody, err := os.Stat(os.DevNull) // a character device too
	return err != nil || !os.SameFile(info, nobody)
}

// Logger writes what is at or above level, a name that slog knows, to w.
func Logger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, Usage("--log-level must be debug, info, warn or error")
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

// DataDir is where a program of that name keeps its data by the platform's custom:
// below ~/Library/Application Support on a Mac, below XDG_DATA_HOME elsewhere.
func DataDir(name string) (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home folder: %w", err)
	}
	if runtime.GOOS == "darwin" {
		return home + "/Library/Application Support/" + name, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return dir + "/" + name, nil
	}
	return home + "/.local/share/" + name, nil
}
