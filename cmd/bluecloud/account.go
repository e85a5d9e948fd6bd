package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"bluerelay/cli"
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
					out[i] = map[string]any{
						"account_id": v.ID, "name": v.Name, "email": v.Email, "monthly_messages": v.MonthlyMessages,
						"requests_per_minute": v.RequestsPerMinute, "created_at": stamp(v.CreatedAt),
					}
					name := v.Name
					if v.TestOf != "" {
						out[i]["test_of"] = v.TestOf
						name = "(test keys of " + v.TestOf + ")"
					}
					rows[i] = []any{v.ID, name, v.Email, when(v.CreatedAt)}
				}
				return d.print(map[string]any{"accounts": out}, func(w io.Writer) { table(w, "ACCOUNT\tNAME\tE-MAIL\tCREATED", rows) })
			})
		},
	}
	a.flags(cmd)
	return cmd
}

func accountSet() *cobra.Command {
	var a admin
	var monthly, requests int64
	cmd := &cobra.Command{
		Use: "set ACCOUNT", Short: "Change the limits of an account", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if monthly < 0 || requests < 0 {
				return cli.Usage("a limit must be 0, for none, or more")
			}
			return a.run(cmd, func(ctx context.Context, d desk) error {
				p, err := d.as(ctx, args[0])
				if err != nil {
					return err
				}
				v := p.Account
				if cmd.Flags().Changed("monthly-messages") {
					v.MonthlyMessages = monthly
				}
				if cmd.Flags().Changed("requests-per-minute") {
					v.RequestsPerMinute = requests
				}
				if err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.UpdateAccount(v) }); err != nil {
					return err
				}
				return d.print(map[string]any{"account_id": v.ID, "monthly_messages": v.MonthlyMessages, "requests_per_minute": v.RequestsPerMinute},
					func(w io.Writer) {
						fmt.Fprintf(w, "%s: %d messages a month, %d requests a minute (0: no limit)\n", v.ID, v.MonthlyMessages, v.RequestsPerMinute)
					})
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().Int64Var(&monthly, "monthly-messages", 0, "outbound messages a calendar month; 0 for no limit")
	cmd.Flags().Int64Var(&requests, "requests-per-minute", 0, "requests a minute for each key; 0 for no limit")
	return cmd
}
