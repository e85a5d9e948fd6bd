package main

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"syscall"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/launchd"
	"bluerelay/mac"
	"bluerelay/update"
)

// guardName is the command that looks after a version which was just put in place.
const guardName = "guard"

// startGuard has the former version look after the new one, in a process of its own: launchd
// leaves it alone when the daemon ends (AbandonProcessGroup), and it writes to the file for
// crashes.
func startGuard(i launchd.Installation) error {
	cmd := exec.Command(i.Bundle.FormerProgram(), guardName, "--state", i.Agent.StateDir, "--programs", i.Job.Tools.Dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}

func guardCommand() *cobra.Command {
	var p places
	var tools mac.Tools
	cmd := &cobra.Command{
		Use:    guardName,
		Short:  "Take a new version back that dies before it counts its starts; the daemon starts this",
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := cli.Logger(os.Stderr, "info")
			if err != nil {
				return err
			}
			dir, err := p.stateDir()
			if err != nil {
				return err
			}
			i, err := installation(tools, launchd.Agent{StateDir: dir})
			if err != nil {
				return err
			}
			return guard(cmd.Context(), i, log)
		},
	}
	p.stateFlag(cmd)
	programsFlag(cmd, &tools)
	return cmd
}

func guard(ctx context.Context, i launchd.Installation, log *slog.Logger) error {
	back, err := updater(i, update.Source{}, version, "").Guard(ctx, func(ctx context.Context) (int, bool, error) {
		s, err := i.Job.Status(ctx)
		return s.Runs, s.Loaded, err
	})
	if err != nil || !back {
		return err
	}
	log.Warn("update.taken_back", "version", version)
	return i.Job.Kickstart(ctx, true)
}
