package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/cloud/store"
)

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "API keys of an account"}
	cmd.AddCommand(keyCreate(), keyList(), keyRevoke())
	return cmd
}

func keyCreate() *cobra.Command {
	var a admin
	var account string
	var permissions []string
	var sendblue, test bool
	cmd := &cobra.Command{
		Use: "create --account ID --permission P…", Short: "Create a key and show its secret, this once",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if account == "" || len(permissions) == 0 {
				return cli.Usage("--account and at least one --permission are needed")
			}
			return a.run(cmd, func(ctx context.Context, d desk) error {
				if _, err := d.as(ctx, account); err != nil {
					return err
				}
				dialect := store.TextingBlue
				if sendblue {
					dialect = store.Sendblue
				}
				if !test {
					k, secret, err := d.CreateKey(ctx, account, dialect, permissions)
					if err != nil {
						return err
					}
					return d.printKey(k, secret, "")
				}
				k, secret, line, err := d.CreateTestKey(ctx, account, dialect, permissions)
				if err != nil {
					return err
				}
				return d.printKey(k, secret, line.PhoneNumber)
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&account, "account", "", "account `ID`")
	cmd.Flags().StringSliceVar(&permissions, "permission", nil, "what the key may do, such as messages:send or *; may be repeated")
	cmd.Flags().BoolVar(&sendblue, "sendblue", false, "a pair of key id and secret for Sendblue clients")
	cmd.Flags().BoolVar(&test, "test", false, "a test key: data of its own and a simulated line; nothing ever reaches a real Mac")
	return cmd
}

// printKey shows a new key with its secret, and with testLine the number of a test key.
func (d desk) printKey(k store.Key, secret, testLine string) error {
	out := map[string]string{"key_id": k.ID}
	if k.Dialect == store.Sendblue {
		out["api_key_id"], out["api_secret_key"] = k.Shown, secret
	} else {
		out["api_key"] = secret
	}
	if testLine != "" {
		out["line"] = testLine
	}
	return d.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "key         %s\n", k.ID)
		if k.Dialect == store.Sendblue {
			fmt.Fprintf(w, "key id      %s\nsecret key  %s\n", k.Shown, secret)
		} else {
			fmt.Fprintf(w, "api key     %s\n", secret)
		}
		if testLine != "" {
			fmt.Fprintf(w, "test line   %s (simulated)\n", testLine)
		}
		fmt.Fprint(w, "\nThe secret is not shown again.\n")
	})
}

func keyList() *cobra.Command {
	var a admin
	var account string
	cmd := &cobra.Command{
		Use: "list", Short: "List keys, without their secrets",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				list, err := d.store.Keys(ctx, account)
				if err != nil {
					return err
				}
				out := make([]map[string]any, len(list))
				rows := make([][]any, len(list))
				for i, k := range list {
					out[i] = map[string]any{
						"key_id": k.ID, "account_id": k.AccountID, "kind": k.Dialect, "shown": k.Shown, "permissions": k.Permissions,
						"created_at": stamp(k.CreatedAt), "revoked_at": stamp(k.RevokedAt),
					}
					state := "good"
					if k.RevokedAt != 0 {
						state = "revoked"
					}
					rows[i] = []any{k.ID, k.AccountID, k.Dialect, k.Shown + "…", state, strings.Join(k.Permissions, " ")}
				}
				return d.print(map[string]any{"keys": out}, func(w io.Writer) { table(w, "KEY\tACCOUNT\tKIND\tBEGINS\tSTATE\tPERMISSIONS", rows) })
			})
		},
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&account, "account", "", "only of this account `ID`")
	return cmd
}

func keyRevoke() *cobra.Command {
	var a admin
	cmd := &cobra.Command{
		Use: "revoke KEY", Short: "End a key at once", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd, func(ctx context.Context, d desk) error {
				err := d.store.Write(ctx, func(tx *store.Tx) error { return tx.RevokeKey(args[0], time.Now().UnixMilli()) })
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("there is no good key %q: see `bluecloud key list`", args[0])
				}
				if err != nil {
					return err
				}
				return d.print(map[string]any{"key_id": args[0], "revoked": true}, func(w io.Writer) { fmt.Fprintf(w, "%s is revoked.\n", args[0]) })
			})
		},
	}
	a.flags(cmd)
	return cmd
}
