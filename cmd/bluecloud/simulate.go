package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/simulator"
)

// simulatedIn is the folder of the simulated Messages in a data folder.
func simulatedIn(dir string) string { return filepath.Join(dir, "simulated") }

func simulateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "simulate", Short: "Act on the simulated Messages of a running `bluecloud up --simulate`"}
	cmd.AddCommand(simulateReceive(), simulateType(), simulateEdit(), simulateUnsend(), simulateTapback(), simulateMessages())
	return cmd
}

func simulateReceive() *cobra.Command {
	var data string
	var in simulator.Inbound
	var asJSON bool
	cmd := &cobra.Command{
		Use: "receive --from NUMBER TEXT", Short: "Somebody writes to the simulated Mac", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.From == "" {
				return cli.Usage("--from is needed: who writes")
			}
			in.Text = args[0]
			dir, err := dataDir(data)
			if err != nil {
				return err
			}
			if in.Media != "" {
				if in.Media, err = filepath.Abs(in.Media); err != nil {
					return err
				}
			}
			guid, err := simulator.Receive(cmd.Context(), simulatedIn(dir), in)
			if err != nil {
				return err
			}
			return printGUID(cmd.OutOrStdout(), asJSON, guid)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder of the data of the running `up --simulate`")
	cmd.Flags().StringVar(&in.From, "from", "", "`NUMBER` or address of the sender")
	cmd.Flags().StringVar(&in.To, "to", "", "line that receives (default: the simulated Mac's own number)")
	cmd.Flags().StringVar(&in.Media, "media", "", "`FILE` to attach")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func simulateType() *cobra.Command {
	var data, to string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "type --to NUMBER TEXT", Short: "The owner writes on another device of his", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return cli.Usage("--to is needed: whom the owner writes to")
			}
			dir, err := dataDir(data)
			if err != nil {
				return err
			}
			guid, err := simulator.Type(cmd.Context(), simulatedIn(dir), to, args[0])
			if err != nil {
				return err
			}
			return printGUID(cmd.OutOrStdout(), asJSON, guid)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder of the data of the running `up --simulate`")
	cmd.Flags().StringVar(&to, "to", "", "`NUMBER` or address of the recipient")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func simulateEdit() *cobra.Command {
	return simulateChange("edit GUID TEXT", "The sender of a message edits it", 2, func(ctx context.Context, dir string, args []string) (string, error) {
		return args[0], simulator.Edit(ctx, dir, args[0], args[1])
	})
}

func simulateUnsend() *cobra.Command {
	return simulateChange("unsend GUID", "The sender of a message takes it back", 1, func(ctx context.Context, dir string, args []string) (string, error) {
		return args[0], simulator.Unsend(ctx, dir, args[0])
	})
}

func simulateTapback() *cobra.Command {
	return simulateChange("tapback GUID FROM KIND", "Somebody reacts to a message: love, like, dislike, laugh, emphasize or question", 3,
		func(ctx context.Context, dir string, args []string) (string, error) {
			return simulator.Tapback(ctx, dir, args[0], args[1], args[2])
		})
}

// simulateChange is a command that does something to a message that is there.
func simulateChange(use, short string, args int, do func(ctx context.Context, dir string, args []string) (string, error)) *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := dataDir(data)
			if err != nil {
				return err
			}
			guid, err := do(cmd.Context(), simulatedIn(dir), args)
			if err != nil {
				return err
			}
			return printGUID(cmd.OutOrStdout(), asJSON, guid)
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder of the data of the running `up --simulate`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printGUID(w io.Writer, asJSON bool, guid string) error {
	if asJSON {
		return cli.PrintJSON(w, map[string]string{"guid": guid})
	}
	_, err := fmt.Fprintln(w, guid)
	return err
}

// simulateMessages is the simulated Messages itself, started by simulator.Start.
func simulateMessages() *cobra.Command {
	var dir string
	var opts simulator.Options
	cmd := &cobra.Command{
		Use: "messages", Short: "Be the simulated Messages until standard input ends", Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return cli.Usage("--dir is needed")
			}
			opts.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return simulator.RunMessages(cmd.Context(), dir, os.Stdin, opts)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the simulated Messages")
	cmd.Flags().Float64Var(&opts.Speed, "speed", 1, "how many times faster than a real Mac")
	cmd.Flags().Uint64Var(&opts.Seed, "seed", 0, "chooses the small differences in time")
	cmd.Flags().StringVar(&opts.Number, "number", simulator.DefaultNumber, "own number")
	return cmd
}
