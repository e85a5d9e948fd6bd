package main

import (
	"os"

	"github.com/spf13/cobra"

	"bluerelay/relay"
)

// probeCommand is for the daemon: a fresh process finds out what one that has been running
// cannot. Its answer is the exit code.
func probeCommand() *cobra.Command {
	probe := &cobra.Command{Use: "probe", Short: "Find out what only a fresh process can", Hidden: true}
	var p places
	chatDB := &cobra.Command{
		Use:   "chat-db",
		Short: "Exit with 0 if chat.db can be read, 3 if macOS refuses it, 4 if there is none, else 1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := p.chatDBPath()
			if err != nil {
				return err
			}
			os.Exit(relay.FreshLook(cmd.Context(), path))
			return nil
		},
	}
	p.chatDBFlag(chatDB)
	probe.AddCommand(chatDB)
	return probe
}
