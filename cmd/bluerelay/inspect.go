package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/relay"
)

func inspectCommand() *cobra.Command {
	var p places
	var show, asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect GUID",
		Short: "Print what the relay sees of one message, for bug reports",
		Long: "Print what the relay sees of the message that Apple calls GUID. Texts are shown by\n" +
			"their length and the kinds of their characters, numbers by their ends, files by their\n" +
			"ending, unless --show-text is given.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := p.chatDBPath()
			if err != nil {
				return err
			}
			s, err := relay.Inspect(cmd.Context(), path, args[0], show)
			if err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), s)
			}
			return printSight(cmd.OutOrStdout(), s)
		},
	}
	p.chatDBFlag(cmd)
	cmd.Flags().BoolVar(&show, "show-text", false, "show texts, numbers and addresses; not for others' eyes")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// printSight writes what --json has, one value a line.
func printSight(w io.Writer, s relay.Sight) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	put := func(name string, values ...any) {
		value := strings.TrimSpace(fmt.Sprintln(values...))
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, oneLine.Replace(value))
		}
	}
	put("guid", s.GUID)
	put("rowid", s.RowID)
	put("class", s.Class)
	put("flags", strings.Join(s.Flags, " "))
	put("service", s.Service)
	put("error", s.Error)
	put("handle", s.Handle)
	put("account", s.Account)
	put("caller", s.Caller)
	put("room", s.Room)
	put("subject", s.Subject)
	put("balloon", s.Balloon)
	put("effect", s.Effect)
	put("numbers", strings.Join(s.Numbers, ", "))
	put("date", s.Date)
	put("delivered", s.Delivered)
	put("read", s.Read)
	put("edited", s.Edited)
	put("recovered", s.Recovered)
	put("text", s.Text)
	put("body error", s.BodyError)
	for _, r := range s.Runs {
		put("run", fmt.Sprintf("%d+%d part %d", r.Start, r.Length, r.Part), r.Attachment, strings.Join(r.Attrs, "; "))
	}
	put("tapback", s.Tapback)
	put("event", s.Event)
	put("reply", s.Reply)
	for _, h := range s.History {
		put("history", h)
	}
	for _, c := range s.Chats {
		put("chat", c.RowID, c.GUID, "identifier", c.Identifier, "style", c.Style, c.Service, c.Name)
	}
	for _, a := range s.Attachments {
		put("attachment", a.GUID, a.Name, a.File, a.UTI, a.MIME, a.Bytes, "bytes, state", a.State, strings.Join(a.Flags, " "))
	}
	return t.Flush()
}

var oneLine = strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`, "\f", `\f`)
