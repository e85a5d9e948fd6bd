package main

import (
	"context"
	"fmt"
	"io"
	"maps"

	"github.com/spf13/cobra"

	"bluerelay/cloud/store"
)

func accountCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "account", Short: "Accounts: each has its own keys, lines and messages"}
	cmd.AddCommand(accountCreate(), accountList(), accountSet())
	return cmd
}

func accountCreate() *cobra.Command {
	var a admin
	var email string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Create an account and show its secrets, this once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				made, err := d.CreateAccount(ctx, args[0], email)
				if err != nil {
					return err
				}
				return d.print(made, func(w io.Writer) {
					fmt.Fprintf(w, "account            %s\nTexting Blue key   %s\nSendblue key id    %s\nSendblue secret    %s\nconsole login      %s\nconsole password   %s\n\nThese secrets are not shown again.\n",
						made.AccountID, made.TextingBlue.APIKey, made.Sendblue.APIKeyID, made.Sendblue.APISecretKey, made.Console.Login, made.Console.Password)
				})
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&email, "email", "", "e-mail address of the owner, also the login")
	return cmd
}

func accountList() *cobra.Command {
	var a admin
	cmd := &cobra.Command{
		Use: "list", Short: "List the accounts",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				list, err := d.store.Accounts(ctx)
				if err != nil {
					return err
				}
				out := make([]map[string]any, len(list))
				rows := make([][]any, len(list))
				for i, v := range list {
					out[i] = limitsOf(v)
					maps.Copy(out[i], map[string]any{"account_id": v.ID, "name": v.Name, "email": v.Email, "created_at": stamp(v.CreatedAt)})
					name := v.Name
					if v.TestOf != "" {
						out[i]["test_of"] = v.TestOf
						name = "(test keys of " + v.TestOf + ")"
					}
					rows[i] = []any{v.ID, name, v.Email, v.Plan, when(v.CreatedAt)}
				}
				return d.print(map[string]any{"accounts": out}, func(w io.Writer) { table(w, "ACCOUNT\tNAME\tE-MAIL\tPLAN\tCREATED", rows) })
			})
		},
	}
	a.flags(cmd)
	return cmd
}

func accountSet() *cobra.Command {
	var a admin
	var f planFlags
	var words wordFlags
	cmd := &cobra.Command{
		Use: "set ACCOUNT", Short: "Change the plan of an account, single limits, or the words by which people opt out", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.run(cmd, func(ctx context.Context, d desk) error {
				if _, err := d.as(ctx, args[0]); err != nil {
					return err
				}
				v, err := d.SetPlan(ctx, args[0], f.plan, func(l *store.Limits) { f.change(cmd, l) })
				if err != nil {
					return err
				}
				chosen, err := words.set(ctx, cmd, d, v.ID)
				if err != nil {
					return err
				}
				out := limitsOf(v)
				out["account_id"], out["opt_out_words"], out["opt_in_words"] = v.ID, chosen.OptOut, chosen.OptIn
				return d.print(out, func(w io.Writer) {
					printLimits(w, v)
					printWords(w, chosen)
				})
			})
		},
	}
	a.flags(cmd)
	f.flags(cmd)
	words.flags(cmd)
	return cmd
}
