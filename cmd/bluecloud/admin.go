package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"bluerelay/cli"
	"bluerelay/cloud"
	"bluerelay/cloud/store"
)

// admin is a command that works on the database, beside a running server or
// without one.
type admin struct {
	data     string
	database string
	json     bool
}

// desk is what such a command works with.
type desk struct {
	*cloud.Service
	store *store.Store
	out   io.Writer
	json  bool
}

func (a *admin) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.data, "data", "", "folder of the data (default: the platform's data folder)")
	cmd.Flags().StringVar(&a.database, "database", "", databaseUsage)
	cmd.Flags().BoolVar(&a.json, "json", false, "print one JSON object")
}

// run opens the database for fn. What it returns as not found or already there is
// turned into a sentence.
func (a *admin) run(cmd *cobra.Command, fn func(ctx context.Context, d desk) error) error {
	ctx := cmd.Context()
	if err := hidePassword(a.database); err != nil {
		return err
	}
	database, dir, err := places(a.data, a.database)
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, database)
	if err != nil {
		return err
	}
	defer st.Close()
	url, err := st.Setting(ctx, store.PublicURL)
	if err != nil {
		return err
	}
	if url == "" {
		url = "http://127.0.0.1:8787"
	}
	service := cloud.New(cloud.Config{Store: st, Log: slog.New(slog.DiscardHandler), PublicURL: url, MediaDir: mediaIn(dir), Dialects: dialects()})
	err = fn(ctx, desk{Service: service, store: st, out: cmd.OutOrStdout(), json: a.json})
	if e := cloud.Public(err); e != nil && !errors.As(err, new(*cloud.Error)) {
		return errors.New(e.Message)
	}
	return err
}

// print writes v as JSON for scripts, or calls text for people.
func (d desk) print(v any, text func(w io.Writer)) error {
	if d.json {
		return cli.PrintJSON(d.out, v)
	}
	text(d.out)
	return nil
}

// table writes rows of cells under a head.
func table(w io.Writer, head string, rows [][]any) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	fmt.Fprintln(t, head)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, cell)
		}
		fmt.Fprintln(t)
	}
}

// when shows a time to a person.
func when(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return time.UnixMilli(ms).Local().Format("2006-01-02 15:04:05")
}

// stamp shows a time to a script, nil for never.
func stamp(ms int64) *string {
	if ms == 0 {
		return nil
	}
	return new(time.UnixMilli(ms).UTC().Format(time.RFC3339))
}

// lineByNumber finds a line for a person who named it.
func (d desk) lineByNumber(ctx context.Context, number string) (store.Line, error) {
	l, err := d.store.LineByNumber(ctx, number)
	if errors.Is(err, store.ErrNotFound) {
		return l, fmt.Errorf("there is no line %s: see `bluecloud line list`", number)
	}
	return l, err
}

// as is the principal of whoever sits at the machine.
func (d desk) as(ctx context.Context, accountID string) (cloud.Principal, error) {
	a, err := d.store.Account(ctx, accountID)
	if errors.Is(err, store.ErrNotFound) {
		return cloud.Principal{}, fmt.Errorf("there is no account %q: see `bluecloud account list`", accountID)
	}
	return cloud.Principal{Account: a, Key: store.Key{Permissions: []string{string(cloud.Everything)}}}, err
}
